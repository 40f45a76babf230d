import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json, parseJson } from '../model/json.ts';
import { isUnicastMac, parseMac } from '../model/mac.ts';
import { sysctlPath } from '../model/op.ts';
import { readBounded } from './dns.ts';
import { invalid, show } from './invalid.ts';
import { LIMITS } from './limits.ts';

/** Changes to an interface and its namespace; absent values stay unchanged. */
export interface Tuning {
  /** Path below /proc/sys, including the interface's name, and value. */
  readonly sysctls: ReadonlyMap<string, string>;
  readonly mac?: string;
  readonly mtu?: number;
  /** Only ever turned on. */
  readonly promisc?: true;
  readonly allMulticast?: boolean;
  readonly txQueueLength?: number;
}

export interface TuningInput {
  readonly config: Json;
  /** The configuration as JSON, where a key may be there twice. */
  readonly text?: string;
  readonly ifName: string;
  /** MAC of CNI_ARGS. */
  readonly mac?: string;
  /** Lines of the allowlist, each a regular expression; absent: no list exists and every key is allowed. */
  readonly allowlist?: readonly string[];
}

/** One value and its path in the configuration. */
interface Given {
  readonly path: string;
  readonly value: unknown;
}

/** The reference's format: one regular expression a line. */
const ALLOWLIST = '/etc/cni/tuning/allowlist.conf';
const MIN_MTU = 68;
const MAX_INT = 0x7fff_ffff;

/**
 * Parses the tuning of a configuration: its own keys, then CNI_ARGS MAC, runtimeConfig.mac and args.cni, each
 * overriding the earlier ones. Throws NetError `invalid-config` (`bad-environment` for CNI_ARGS) naming path, value and
 * rule.
 */
export function parseTuning(input: TuningInput): Tuning {
  const { config } = input;
  const args = field(field(config, 'args'), 'cni');
  const of = (key: string): Given | undefined =>
    present(args, key, `.args.cni.${key}`) ?? present(config, key, `.${key}`);
  const mac = givenMac(input, args);
  const mtu = integer(of('mtu'), MIN_MTU, 'an MTU in bytes');
  const promisc = flag(of('promisc'));
  const allMulticast = flag(of('allmulti'));
  const txQueueLength = integer(of('txQLen'), 0, 'a number of packets');
  return {
    sysctls: sysctlsOf(input, args),
    ...given({ mac }),
    ...(mtu === undefined || mtu === 0 ? {} : { mtu }),
    ...(promisc === true ? { promisc } : {}),
    ...given({ allMulticast, txQueueLength }),
  };
}

function sysctlsOf(input: TuningInput, args: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [holder, path] of [
    [input.config, '.sysctl'],
    [args, '.args.cni.sysctl'],
  ] as const) {
    const given = field(holder, 'sysctl');
    if (given === undefined) continue;
    const own = new Map<string, string>();
    const twice = input.text === undefined ? undefined : repeatedKey(input.text, path.slice(1).split('.'));
    if (twice !== undefined) throw repeated(`${path}[${JSON.stringify(twice)}]`, field(given, twice), twice);
    if (!isObject(given)) throw invalid(path, given, 'it is not an object', 'Write { "net.core.somaxconn": "500" }');
    for (const [key, value] of Object.entries(given)) {
      const where = `${path}[${JSON.stringify(key)}]`;
      if (typeof value !== 'string') throw invalid(where, value, 'it is not a string', 'Put it in quotes');
      assertAllowed(key, where, value, input.allowlist);
      const name = pathOf(key, where, value, input.ifName);
      const other = own.get(name);
      if (other !== undefined) throw repeated(where, value, other);
      own.set(name, key);
      found.set(name, value);
    }
  }
  return found;
}

function repeated(where: string, value: unknown, other: string): NetError {
  return invalid(where, value, `${JSON.stringify(other)} sets the same sysctl`, 'Keep one of them');
}

/** `IFNAME` stands for the interface, whose name may contain dots, so replace the dots of the key first. */
function pathOf(key: string, where: string, value: string, ifName: string): string {
  const slashes = key.includes('/') ? key : key.replaceAll('.', '/');
  const path = sysctlPath(slashes.replace('IFNAME', () => ifName));
  if (path !== undefined) return path;
  throw invalid(where, value, 'it is not a sysctl of the network', 'Give one that begins with net.');
}

function assertAllowed(key: string, where: string, value: string, allowlist: readonly string[] | undefined): void {
  if (allowlist === undefined || allowlist.some((line) => expression(line).test(key))) return;
  const what = `the allowlist has ${allowlist.length} lines and none takes ${key}`;
  throw invalid(where, value, what, `Remove it, or add it to ${ALLOWLIST}`);
}

function expression(line: string): RegExp {
  try {
    return new RegExp(line);
  } catch (cause) {
    const what = `its line ${show(line)} is no regular expression`;
    throw fault.invalidConfig('config', ALLOWLIST, what, 'Mend that line', { cause });
  }
}

function givenMac({ config, mac }: TuningInput, args: unknown): string | undefined {
  const runtime = present(field(config, 'runtimeConfig'), 'mac', '.runtimeConfig.mac');
  const given = [
    present(args, 'mac', '.args.cni.mac'),
    runtime,
    mac === undefined ? undefined : { path: 'CNI_ARGS MAC', value: mac },
    present(config, 'mac', '.mac'),
  ].find((one) => one !== undefined && one.value !== '');
  if (given === undefined) return undefined;
  const { path, value } = given;
  const parsed = typeof value === 'string' ? parseMac(value) : undefined;
  if (parsed !== undefined && isUnicastMac(parsed)) return parsed;
  const what = parsed === undefined ? 'it is not a MAC address' : 'it is a group address or zero';
  const hint = 'Write six bytes, the first of them even: 0a:58:0a:16:00:07';
  if (!path.startsWith('CNI_ARGS')) throw invalid(path, value, what, hint);
  throw fault.badEnvironment('environment', `${path}=${show(value)}`, what, hint);
}

function present(holder: unknown, key: string, path: string): Given | undefined {
  const value = field(holder, key);
  return value === undefined ? undefined : { path, value };
}

function flag(given: Given | undefined): boolean | undefined {
  if (given === undefined || typeof given.value === 'boolean') return given?.value as boolean | undefined;
  throw invalid(given.path, given.value, 'it is not a boolean', 'Write true or false, without quotes');
}

/** Always accepts 0, which the reference treats as absent. */
function integer(given: Given | undefined, least: number, what: string): number | undefined {
  if (given === undefined) return undefined;
  const { path, value } = given;
  if (typeof value === 'number' && Number.isInteger(value) && value <= MAX_INT && (value === 0 || value >= least)) {
    return value;
  }
  throw invalid(path, value, `it is not ${what}, ${least} or more`, 'Write a whole number, without quotes');
}

/** Undefined if the file does not exist. Throws NetError `io` if it cannot be read, so that nothing is allowed. */
export function readAllowlist(): string[] | undefined {
  try {
    const lines = readBounded(ALLOWLIST, LIMITS.allowlist).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
      return undefined;
    }
    const what = `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw fault.io('config', ALLOWLIST, what, undefined, { cause });
  }
}

/** Returns true if the tuning changes nothing. */
export function isNoTuning({ sysctls, ...link }: Tuning): boolean {
  return sysctls.size === 0 && Object.keys(link).length === 0;
}

/** JSON's tokens; the text is known to be JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

interface Level {
  readonly isObject: boolean;
  readonly seen: Set<string>;
  key?: string;
  isBeforeKey: boolean;
}

/**
 * Returns a key that the object at `path` of a JSON text has twice, or undefined. JSON.parse keeps only the last value of
 * such a key, without an error.
 */
export function repeatedKey(text: string, path: readonly string[]): string | undefined {
  const levels: Level[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[')
      levels.push({ isObject: token === '{', seen: new Set(), isBeforeKey: token === '{' });
    else if (token === '}' || token === ']') levels.pop();
    else if (level?.isObject && token === ',') level.isBeforeKey = true;
    else if (level?.isBeforeKey) {
      const key = parseJson(token) as string;
      level.key = key;
      level.isBeforeKey = false;
      if (levels.length !== path.length + 1 || path.some((name, i) => levels[i]?.key !== name)) continue;
      if (level.seen.has(key)) return key;
      level.seen.add(key);
    }
  }
  return undefined;
}
