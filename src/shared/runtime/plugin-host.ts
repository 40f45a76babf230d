import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { readBounded } from '../config/dns.ts';
import { parseFile } from '../config/document.ts';
import { LIMITS } from '../config/limits.ts';
import { parsePrintedError } from '../config/result.ts';
import type { PluginCall, PluginHost } from '../core/core.ts';
import { CATALOG } from '../errors/catalog.ts';
import { fault } from '../errors/fault.ts';
import { hasCode, type NetError } from '../errors/net-error.ts';
import { attempted } from './attempted.ts';
import { CONF_DIR, EXTENSIONS } from './configured-network.ts';
import { isExecutable } from './delegate.ts';
import type { Environment } from './environment.ts';
import { endPlugin, endPluginsIn, sinceOf } from './plugin-processes.ts';

/** Milliseconds between SIGTERM and SIGKILL. */
const KILL_MS = 1000;
/** Bytes of stderr to search for an error text. */
const SAID_BYTES = 4096;
/** Characters of a conf in an error. */
const SHOWN = 60;
/** Variables of the daemon that no plugin gets. */
const OWN_VARIABLES = /^(CNI_|NOTIFY_SOCKET$|LISTEN_|WATCHDOG_|INVOCATION_ID$)/;

/** Where plugins find iptables and the like, if the daemon was started without a PATH. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface PluginHostOptions {
  readonly env: Environment;
  /** Receives the plugins' stderr in pieces. */
  readonly stderr: (piece: Uint8Array) => void;
}

/** Executes CNI plugins as a runtime does, each in a process group of its own. */
export function pluginHost({ env, stderr }: PluginHostOptions): PluginHost {
  const dir = env.ISTHMUS_CNI_CONF_DIR || CONF_DIR;
  const given = Object.entries(env).filter(([name]) => !OWN_VARIABLES.test(name));
  const base: Environment = { PATH, ...Object.fromEntries(given) };
  return {
    listText: (conf) => listText(conf, dir),
    isConfigured: (network) => fileOf(network, dir) !== undefined,
    assertThere: (type, path) => void find(type, path),
    run: (call) => run(call, base, stderr),
    end: endPlugin,
    endIn: endPluginsIn,
    makeNamespace,
    deleteNamespace,
  };
}

function listText(conf: string, dir: string): string {
  const text = conf.trim();
  if (text.startsWith('{') && text.length <= LIMITS.stdin) return text;
  const shown = `-o conf=${text.slice(0, SHOWN)}`;
  if (text.length > LIMITS.stdin) {
    const hint = `Give ${LIMITS.stdin} characters at most`;
    throw fault.invalidConfig('network', shown, `it has ${text.length} characters`, hint);
  }
  if (text.startsWith('/')) {
    try {
      return readBounded(text, LIMITS.stdin);
    } catch (error) {
      const what = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      throw fault.invalidConfig('network', shown, what, 'Give the path of a CNI list on this host');
    }
  }
  const file = text.includes('/') ? undefined : fileOf(text, dir);
  if (file !== undefined) return readBounded(file, LIMITS.stdin);
  const what = text.includes('/') ? 'it is a relative path' : `no file in ${dir} has a network of this name`;
  const hint = 'Give the list itself ({ "name": … }), its absolute path, or the name of a network there';
  throw fault.invalidConfig('network', shown, what, hint);
}

/** The first file, by name, that defines the network. */
function fileOf(network: string, dir: string): string | undefined {
  const names = attempted(() => readdirSync(dir)) ?? [];
  const files = names.filter((name) => EXTENSIONS.includes(extname(name))).toSorted();
  return files
    .map((name) => join(dir, name))
    .find((file) => (attempted(() => parseFile(readBounded(file, LIMITS.stdin), network)) ?? []).length > 0);
}

function find(type: string, path: readonly string[]): string {
  const found = path.map((dir) => join(dir, type)).find(isExecutable);
  if (found !== undefined) return found;
  const what = `no executable of this name is in ${path.join(' or ')}`;
  throw fault.invalidConfig('network', `plugin ${type}`, what, 'Install it, or name its directory with -o cniPath=');
}

async function run(call: PluginCall, base: Environment, stderr: PluginHostOptions['stderr']): Promise<string> {
  const { type, path, command, config, limitMs } = call;
  const file = find(type, path);
  const { execa } = await import('execa');
  const own = process.umask(0o022);
  const running = execa(file, [], {
    input: config,
    env: { ...base, ...variablesOf(call) },
    ...{ extendEnv: false, reject: false, stripFinalNewline: false },
    // A plugin that hangs may have children that hang with it.
    detached: true,
    buffer: { stderr: false },
    maxBuffer: { stdout: LIMITS.delegateOutput },
  });
  process.umask(own);
  const { pid } = running;
  const since = sinceOf(pid);
  if (pid !== undefined && since !== undefined) call.started?.({ pid, since });
  let isLate = false;
  const kill = (signal: NodeJS.Signals): void => void attempted(() => pid !== undefined && process.kill(-pid, signal));
  const limit = setTimeout(() => {
    isLate = true;
    kill('SIGTERM');
    setTimeout(() => kill('SIGKILL'), KILL_MS).unref();
  }, limitMs);
  // A child of the plugin may hold its pipes for as long as it lives.
  running.nodeChildProcess.once('exit', () => {
    const close = (): void => [running.stdout, running.stderr].forEach((pipe) => void pipe.destroy());
    setTimeout(close, LIMITS.delegatePipe).unref();
  });
  let said = Buffer.alloc(0);
  running.stderr.on('data', (piece: Buffer) => {
    stderr(piece);
    if (said.length < SAID_BYTES) said = Buffer.concat([said, piece.subarray(0, SAID_BYTES - said.length)]);
  });
  const done = await running;
  clearTimeout(limit);
  if (isLate) throw failed(call, `has not answered within ${Math.ceil(limitMs / 1000)} s, and was killed (pid ${pid})`);
  if (done.isMaxBuffer) throw failed(call, `wrote more than ${LIMITS.delegateOutput} bytes to stdout`);
  if (done.exitCode === 0) return done.stdout;
  const { msg, details, code = 0 } = parsePrintedError(done.stdout);
  const reason = msg ?? (said.toString().trim() || done.shortMessage || 'nothing');
  const more = Number.isInteger(code) && code > 0 && code !== CATALOG.internal.cni ? { code } : {};
  const what = `failed: ${reason}${details ? `; ${details}` : ''}`;
  throw fault.delegate(command, `plugin ${type}`, what.replaceAll('\n', ' '), undefined, more);
}

function variablesOf({ command, containerId, netns, ifName, args, path }: PluginCall): Environment {
  const all = { CNI_CONTAINERID: containerId, CNI_NETNS: netns, CNI_IFNAME: ifName, CNI_ARGS: args };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return { CNI_COMMAND: command, CNI_PATH: path.join(':'), ...Object.fromEntries(set) };
}

function failed({ command, type }: PluginCall, what: string): NetError {
  return fault.delegate(command, `plugin ${type}`, what, `Mend or replace the plugin ${type}`);
}

/** `unshare` binds its new namespace to the file, which keeps it. */
async function makeNamespace(path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  try {
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDONLY, 0o444));
  } catch (cause) {
    const what = hasCode(cause, ['EEXIST']) ? 'something is there already' : 'it cannot be made';
    throw fault.exists('namespace', path, what, 'Look what it is, and remove it', { cause });
  }
  const { execa } = await import('execa');
  const done = await execa('unshare', [`--net=${path}`, 'true'], { reject: false });
  if (done.exitCode === 0) return;
  rmSync(path, { force: true });
  const reason = done.stderr.trim() || done.shortMessage;
  const hint = 'The daemon needs CAP_SYS_ADMIN and the system calls unshare and mount';
  throw fault.unsupported('namespace', path, `it cannot be made: ${reason}`, hint);
}

async function deleteNamespace(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const { execa } = await import('execa');
  const done = await execa('umount', ['-l', path], { reject: false });
  const failure = attempted(() => {
    rmSync(path, { force: true });
    return true;
  });
  if (failure === true) return;
  throw fault.io('namespace', path, `it cannot be removed: ${done.stderr.trim() || done.shortMessage}`);
}
