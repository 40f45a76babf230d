/** Number of recent children to remember. */
const KEPT = 256;

const children = new Set<number>();

/** Records a tool that this process ran to change the kernel: `watchHost` does not report its changes. */
export function noteChild(pid: number | undefined): void {
  if (pid === undefined || pid <= 0) return;
  children.delete(pid);
  children.add(pid);
  const [oldest] = children;
  if (children.size > KEPT && oldest !== undefined) children.delete(oldest);
}

/**
 * Returns true for this process and the tools that it ran recently. Their numbers are those of the first PID namespace.
 */
export function isOwnProcess(pid: number): boolean {
  return pid === process.pid || children.has(pid);
}
