import { fault } from '../errors/fault.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

export interface ToolAnswer {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

/**
 * Runs a program in the namespace and returns its output; undefined if the command is not installed. Does not block the
 * thread. Kills the program after `timeoutMs`, by default a minute: iptables itself gives up after 10 s.
 */
export async function runTool(
  ns: LinuxNamespace,
  file: string,
  args: readonly string[],
  input = '',
  timeoutMs = TIMEOUT_MS,
): Promise<ToolAnswer | undefined> {
  const { spawn } = process.getBuiltinModule('node:child_process');
  // The child inherits the namespace that the thread is in when it forks.
  const child = ns.within(() => spawn(file, args, { stdio: 'pipe', timeout: timeoutMs, killSignal: 'SIGKILL' }));
  noteChild(child.pid);
  const [output, error] = [collect(child.stdout), collect(child.stderr)];
  // A child that exits without reading its input explains why on stderr.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const status = await ended(child);
    const killed = status === null ? `${file} was killed by ${child.signalCode}` : '';
    return { ok: status === 0, output: output(), error: error() || killed };
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    const what = cause instanceof Error ? cause.message : String(cause);
    throw fault.kernel('run', file, what, undefined, { cause });
  }
}

const TIMEOUT_MS = 60_000;

type Child = ReturnType<typeof import('node:child_process')['spawn']>;

/** Resolves to the exit status, or null for death by signal, once both outputs are closed. */
function ended(child: Child): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  return promise;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

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
