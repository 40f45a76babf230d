/** So many of the last children are known. */
const KEPT = 256;

const children = new Set<number>();

/** A tool that this process has run changed the kernel in its name: `watchHost` does not tell what it did. */
export function noteChild(pid: number | undefined): void {
  if (pid === undefined || pid <= 0) return;
  children.delete(pid);
  children.add(pid);
  const [oldest] = children;
  if (children.size > KEPT && oldest !== undefined) children.delete(oldest);
}

/** True for this process and for the tools that it ran lately. Their numbers are those of the first PID namespace. */
export function isOwnProcess(pid: number): boolean {
  return pid === process.pid || children.has(pid);
}
