import { LIMITS } from '../../../../src/shared/config/limits.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../../src/shared/errors/net-error.ts';
import type { TextMap } from '../wire/messages.ts';

/** Options of driver `cni` that the user gives. */
export interface ListChoice {
  /** The list itself, an absolute path, or the name of a network. */
  readonly conf: string;
  /** Directories with plugins. */
  readonly path: readonly string[];
  /** Pairs for CNI_ARGS: `K=V;K=V`. */
  readonly args?: string;
  /** Seconds that the plugins of one ADD or DEL may take together. */
  readonly seconds: number;
}

/** Options that only driver `cni` has. */
export const LIST_KEYS = ['conf', 'cniPath', 'args', 'timeout'] as const;

/** Options of other drivers that also serve a list. */
const SERVED: readonly string[] = [
  ...['driver', ...LIST_KEYS],
  ...['com.docker.network.bridge.host_binding_ipv4', 'com.docker.network.container_iface_prefix'],
];
/** What this driver would have to do for these is the list's to do. */
const LISTS_OWN = /^com\.docker\.network\.(bridge|host_ipv[46]|driver\.mtu)/;

const PLUGIN_DIRS = ['/opt/cni/bin', '/usr/lib/cni'];
/** An ADD that fails is followed by a DEL, and dockerd's call ends after 60 s. */
const LONGEST = 25;

/** Undefined for other drivers. Throws NetError `invalid-config` that names key, value and rule. */
export function listChoice(generic: TextMap, driver: string): ListChoice | undefined {
  const given = (key: string): string => generic[key] ?? '';
  if (driver !== 'cni') {
    const foreign = LIST_KEYS.find((key) => given(key) !== '');
    if (foreign === undefined) return undefined;
    throw refused(foreign, given(foreign), 'only driver cni has this option', 'Add -o driver=cni');
  }
  const other = Object.keys(generic).find((key) => given(key) !== '' && !isServed(key));
  if (other !== undefined) {
    throw refused(other, given(other), 'the CNI list decides this', 'Leave it out, and write it into the list');
  }
  const [conf, cniPath, args, timeout] = LIST_KEYS.map(given);
  if (conf === undefined || conf.trim() === '') {
    const hint = 'Add -o conf= with the list itself, its path, or the name of a network in /etc/cni/net.d';
    throw fault.invalidConfig('network', '-o conf', 'it is missing, and driver cni runs a CNI list', hint);
  }
  return {
    conf,
    path: cniPath === undefined || cniPath === '' ? PLUGIN_DIRS : directoriesIn(cniPath),
    ...(args === undefined || args === '' ? {} : { args: pairsIn(args) }),
    seconds: timeout === undefined || timeout === '' ? LONGEST : secondsOf(timeout),
  };
}

function isServed(key: string): boolean {
  return SERVED.includes(key) || (key.startsWith('com.docker.network.') && !LISTS_OWN.test(key));
}

function directoriesIn(text: string): string[] {
  const dirs = text.split(':').filter((dir) => dir !== '');
  const relative = dirs.find((dir) => !dir.startsWith('/'));
  if (dirs.length > 0 && dirs.length <= LIMITS.path && relative === undefined) return dirs;
  const what = relative === undefined ? `it names ${dirs.length} directories` : `${relative} is not an absolute path`;
  const hint = `Give 1 to ${LIMITS.path} absolute paths with ":" in between, as in ${PLUGIN_DIRS.join(':')}`;
  throw refused('cniPath', text, what, hint);
}

function pairsIn(text: string): string {
  const pairs = text.split(';').filter((pair) => pair !== '');
  const wrong = pairs.find((pair) => !/^[A-Za-z_][A-Za-z0-9_]*=[^\0]*$/.test(pair));
  if (wrong !== undefined) {
    throw refused('args', text, `"${wrong}" is not a pair of key and value`, 'Write -o args="K=V;K=V"');
  }
  return pairs.join(';');
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= LONGEST) return seconds;
  throw refused('timeout', text, 'it is not a time in seconds', `Give 1 to ${LONGEST}`);
}

function refused(key: string, value: string, what: string, hint: string): NetError {
  return fault.invalidConfig(
    'network',
    `-o ${key}=${value.length > 100 ? `${value.slice(0, 100)}…` : value}`,
    what,
    hint,
  );
}
