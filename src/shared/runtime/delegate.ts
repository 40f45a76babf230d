import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withoutArg } from '../config/cni-args.ts';
import { versionIn } from '../config/document.ts';
import { unassignable } from '../config/ipam-values.ts';
import { LIMITS } from '../config/limits.ts';
import { type CniResult, listsVersion, parsePrintedError, parsePrintedResult } from '../config/result.ts';
import { UNSAID_VERSION } from '../config/versions.ts';
import type { DelegateSource, IpamResult } from '../core/core.ts';
import { CATALOG } from '../errors/catalog.ts';
import { fault } from '../errors/fault.ts';
import { asNetError, NetError } from '../errors/net-error.ts';
import { BITS } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { formatPrefix } from '../model/prefix.ts';
import { LAUNCHER_MARK } from './cni/protocol.ts';
import type { Command, Environment } from './environment.ts';

const INSTALLED = '/usr/lib/isthmus';
const PLUGIN = 'cni-plugin';
/** Milliseconds between SIGTERM and SIGKILL when a delegate is stopped. */
const KILL_MS = 1000;
/** Time limit of a delegate whose caller has disconnected. */
const ORPHAN_MS = 30_000;
/** Size limit for candidates: a launcher linked with glibc has 700 kB, the reference's plugins 2 MB and more. */
const LARGEST_LAUNCHER = 1 << 20;

/** Maximum bytes of a delegate's stderr to search for an error text. */
const SAID_BYTES = 4096;

/** The call that runs the delegate. */
export interface DelegateSurroundings {
  /** The whole environment of that call. */
  readonly env: Environment;
  /** Receives the delegate's stderr in pieces, for the caller's log. */
  readonly stderr: (piece: Uint8Array) => void;
  /**
   * Returns a signal that aborts when the caller disconnects; called when a plugin starts. Absent: the caller waits.
   */
  readonly gone?: () => AbortSignal;
  /** Returns the caller's file mode creation mask; called when a plugin starts. Absent: this process is the caller's. */
  readonly umask?: () => number;
}

/** A delegate: its name, its search path, and the call that runs it. */
export interface DelegateCall extends DelegateSurroundings {
  readonly type: string;
  /** CNI_PATH. */
  readonly path: readonly string[];
  readonly config: string;
}

/**
 * A foreign IPAM plugin, executed with the caller's environment, configuration and stderr (SPEC.md §2 and §4). Passes
 * on all the caller's variables, even those that our plugins ignore; CNI_COMMAND is the delegated command.
 */
export function delegateSource(call: DelegateCall): DelegateSource {
  return {
    kind: 'delegate',
    type: call.type,
    config: call.config,
    acquire: async () => ipamResult(await run(call, 'ADD'), call.type),
    release: async () => void (await run(call, 'DEL')),
    check: async () => void (await run(call, 'CHECK')),
    status: () => status(call),
    collect: () => collect(call),
  };
}

/**
 * Finds the executable of a delegate: the first of this name in CNI_PATH. Throws NetError `bad-environment` if none
 * exists, `invalid-config` if the name is a path.
 */
export function findPlugin(type: string, path: readonly string[]): string {
  if (type.includes('/') || type === '.' || type === '..') {
    throw fault.invalidConfig(
      'config',
      `.ipam.type="${type}"`,
      'is a path',
      'Give the bare name of a plugin that is in CNI_PATH',
    );
  }
  const found = path.map((dir) => join(dir, type)).find(isExecutable);
  if (found !== undefined) return found;
  throw fault.badEnvironment(
    'ipam',
    `CNI_PATH=${path.join(':')}`,
    `has no executable "${type}", which .ipam.type names`,
    'Install it there, or leave .ipam.type out for the built-in IPAM',
  );
}

/**
 * Returns true if a plugin's file is Isthmus itself and need not be executed: this executable, the stand-alone plugin
 * beside it or at its installed path, or any copy of the launcher.
 */
export function isThisExecutable(path: string): boolean {
  try {
    const file = realpathSync(path);
    const own = realpathSync(process.execPath);
    return file === own || file === join(dirname(own), PLUGIN) || file === join(INSTALLED, PLUGIN) || isLauncher(file);
  } catch {
    return false;
  }
}

/** Returns true if the IPAM plugin of this name is Isthmus. Without such a plugin, it is foreign. */
export function isOwnPlugin(type: string, path: readonly string[]): boolean {
  try {
    return isThisExecutable(findPlugin(type, path));
  } catch {
    return false;
  }
}

function isLauncher(file: string): boolean {
  return statSync(file).size < LARGEST_LAUNCHER && readFileSync(file).includes(LAUNCHER_MARK);
}

/** Returns true for a file that may be executed. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Runs the delegate and returns its output. Throws NetError `delegate`, with the delegate's own code. */
async function run(call: DelegateCall, command: Command): Promise<string> {
  const file = findPlugin(call.type, call.path);
  const { execa } = await import('execa');
  const env = { ...call.env, CNI_COMMAND: command, CNI_ARGS: withoutArg(call.env.CNI_ARGS ?? '', 'MAC') };
  const options = {
    input: call.config,
    env,
    extendEnv: false,
    ...limitsOf(call),
    reject: false,
    stripFinalNewline: false,
    // Bounds the memory that a verbose delegate can use.
    buffer: { stderr: false },
    maxBuffer: { stdout: LIMITS.delegateOutput },
  } as const;
  const running = withUmask(call.umask?.(), () => execa(file, [], options));
  // A child of the delegate may hold its pipes for as long as it lives.
  running.nodeChildProcess.once('exit', () => {
    const close = (): void => [running.stdout, running.stderr].forEach((pipe) => void pipe.destroy());
    setTimeout(close, LIMITS.delegatePipe).unref();
  });
  let said = Buffer.alloc(0);
  running.stderr.on('data', (piece: Buffer) => {
    call.stderr(piece);
    if (said.length < SAID_BYTES) said = Buffer.concat([said, piece.subarray(0, SAID_BYTES - said.length)]);
  });
  const done = await running;
  if (done.isMaxBuffer) throw failed(call.type, `wrote more than ${LIMITS.delegateOutput} bytes to stdout`, command);
  if (done.exitCode === 0) return done.stdout;
  const { msg, details, code = 0 } = parsePrintedError(done.stdout);
  const reason = msg ?? (said.toString().trim() || done.shortMessage || 'nothing');
  throw new NetError({
    kind: 'delegate',
    op: command,
    subject: `IPAM plugin ${call.type}`,
    what: `failed: ${reason}${details ? `; ${details}` : ''}`,
    ...(isPassedOn(code) ? { code } : {}),
  });
}

/** True for an unsigned 32-bit code (SPEC.md §5), except the one that reports a defect of this program. */
function isPassedOn(code: number): boolean {
  return Number.isInteger(code) && code > 0 && code <= 0xffff_ffff && code !== CATALOG.internal.cni;
}

/** Nothing else of this process runs while the mask is another: `start` is synchronous. */
function withUmask<T>(umask: number | undefined, start: () => T): T {
  if (umask === undefined) return start();
  const own = process.umask(umask);
  try {
    return start();
  } finally {
    process.umask(own);
  }
}

/** A delegate that starts after the caller disconnected is cleaning up; it gets a time limit, too. */
function limitsOf({ gone }: DelegateCall): {
  cancelSignal?: AbortSignal;
  timeout?: number;
  forceKillAfterDelay: number;
} {
  const signal = gone?.();
  if (signal === undefined) return { forceKillAfterDelay: KILL_MS };
  return signal.aborted
    ? { timeout: ORPHAN_MS, forceKillAfterDelay: KILL_MS }
    : { cancelSignal: signal, forceKillAfterDelay: KILL_MS };
}

/** STATUS. A plugin that lacks the configuration's version cannot serve its ADD. */
async function status(call: DelegateCall): Promise<void> {
  if (await speaks(call)) return void (await run(call, 'STATUS'));
  throw fault.unavailable(
    'STATUS',
    `IPAM plugin ${call.type}`,
    `does not know CNI ${versionOf(call)}, which the configuration is written in`,
    'Set cniVersion to one that it knows, or install a newer one',
  );
}

/** GC. A plugin that lacks the configuration's version has never allocated anything for it. */
async function collect(call: DelegateCall): Promise<void> {
  if (await speaks(call)) await run(call, 'GC');
}

async function speaks(call: DelegateCall): Promise<boolean> {
  return listsVersion(await run(call, 'VERSION'), versionOf(call));
}

function versionOf({ config }: DelegateCall): string {
  return versionIn(config) ?? UNSAID_VERSION;
}

function ipamResult(output: string, type: string): IpamResult {
  const { ips, routes, dns } = understood(output, type);
  for (const { address } of ips) {
    const what = unassignable({ ...address, length: BITS[address.addr.family] });
    if (what !== undefined) throw failed(type, `gave ${formatPrefix(address)}: ${what}`);
  }
  const addresses = ips.map(({ address, gateway }) => ({ address, ...given({ gateway }) }));
  if (addresses.length === 0) throw failed(type, 'gave no address');
  return { addresses, routes, dns };
}

function understood(output: string, type: string): CniResult {
  let result: CniResult | undefined;
  try {
    result = parsePrintedResult(output, 'its result ');
  } catch (error) {
    throw failed(type, asNetError(error, 'ADD').message);
  }
  if (result === undefined) throw failed(type, 'answered with something that is not JSON');
  return result;
}

function failed(type: string, what: string, command: Command = 'ADD'): NetError {
  const hint = `Mend or replace the plugin ${type}`;
  return fault.delegate(command, `IPAM plugin ${type}`, what, hint);
}
