import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';

/**
 * Every limit on what comes from outside, with its reason. Two rules decide: what the kernel or a protocol can hold, and
 * that no accepted input keeps the daemon's thread busy for more than 50 ms (test/netns/limits.test.ts).
 */
export const LIMITS = {
  /** Bytes of a configuration. One with all lists below at their limits has a quarter of that. */
  stdin: 1 << 20,
  /** Bytes of the caller's environment in a request of the launcher. */
  environment: 256 << 10,
  /** Bytes of an answer, stdout and stderr: far more than a result made from `stdin` bytes. */
  answer: 64 << 20,
  /** Levels of objects and lists. The specification's forms have eight; JSON.stringify overflows the stack at thousands. */
  depth: 64,
  /** Values of a configuration altogether: a GC with as many attachments as fit into `stdin` has half of that. */
  values: 65_536,
  /** Keys of one object: each look-up of a key without regard to case reads them all. */
  keys: 256,
  /** Characters of a text: four paths of PATH_MAX. */
  text: 16_384,
  /** Directories of CNI_PATH: each is looked into, one after the other. */
  path: 64,
  /** Keys of one object in a body of dockerd: options, or the addresses that a network reserves. */
  dockerKeys: 1024,
  /** Subnets of one family in a body of dockerd. A network has one; the error says so. */
  dockerSubnets: 16,
  /** Bytes of a container id. Runtimes use 64 characters. */
  containerId: 1024,
  /** Bytes of a delegate's stdout. A result names a few addresses, and the daemon holds it in memory. */
  delegateOutput: 1 << 20,
  /** Milliseconds that a delegate's pipes stay open after its end, for children that hold them. */
  delegatePipe: 1000,
  /** Bytes of a resolv.conf. glibc reads three name servers of it. */
  resolvConf: 64 << 10,
  /** Bytes of the list of sysctls that tuning may set. */
  allowlist: 64 << 10,
  /** Bytes of cluster.json, and of each file that it names: one with all public authorities has 250 kB. */
  clusterFile: 1 << 20,
  /** Range sets: an attachment gets one address of each. */
  rangeSets: 64,
  /** Ranges of all sets together. */
  ranges: 128,
  /** Routes of an attachment: each is one message to the kernel. */
  routes: 512,
  /** Static or requested addresses of an interface. */
  addresses: 256,
  /** `nonMasqueradeCIDRs`: each is an element of a set, or a rule of iptables. */
  exceptions: 256,
  /** Trusted interfaces of the host: each published port is an element for each. */
  trusted: 16,
  /** Ranges of `vlanTrunk`. 4094 VLANs exist; two ranges describe the usual trunk. */
  trunk: 256,
  /** Published ports of an endpoint. */
  ports: 1024,
  /** Words of `conditionsV4` and of `conditionsV6`: the rule of each port contains them all, and a rule of nft has 128 expressions. */
  conditions: 32,
  /** Names of an endpoint on its network. */
  aliases: 256,
  /** Entries of one list of `dns`. */
  dns: 256,
  /** Routes of a previous plugin's result, which are only passed on. */
  passedRoutes: 4096,
  /** Attachments that a GC keeps. A node runs some hundred pods. */
  attachments: 4096,
} as const;

/** Characters of a path in an error. */
const LONGEST_PATH = 100;

export type Limit = keyof typeof LIMITS;

/** Lists of a configuration, by path; `*` stands for each item. */
const LISTS: readonly (readonly [path: string, limit: Limit])[] = [
  ['ipam.ranges', 'rangeSets'],
  ['ipam.ranges.*', 'ranges'],
  ['ipam.routes', 'routes'],
  ['ipam.addresses', 'addresses'],
  ['ipam.dns.nameservers', 'dns'],
  ['ipam.dns.search', 'dns'],
  ['ipam.dns.options', 'dns'],
  ['dns.nameservers', 'dns'],
  ['dns.search', 'dns'],
  ['dns.options', 'dns'],
  ['nonmasqueradecidrs', 'exceptions'],
  ['trustedhostinterfaces', 'trusted'],
  ['vlantrunk', 'trunk'],
  ['conditionsv4', 'conditions'],
  ['conditionsv6', 'conditions'],
  ['args.cni.ips', 'addresses'],
  ['runtimeconfig.ips', 'addresses'],
  ['runtimeconfig.ipranges', 'rangeSets'],
  ['runtimeconfig.ipranges.*', 'ranges'],
  ['runtimeconfig.portmappings', 'ports'],
  ['runtimeconfig.aliases.*', 'aliases'],
  ['runtimeconfig.dns.servers', 'dns'],
  ['runtimeconfig.dns.searches', 'dns'],
  ['runtimeconfig.dns.options', 'dns'],
  // A result, of a delegate.
  ['ips', 'addresses'],
  ['interfaces', 'addresses'],
  ['routes', 'routes'],
  ['ip4.routes', 'routes'],
  ['ip6.routes', 'routes'],
  ['prevresult.ips', 'addresses'],
  ['prevresult.interfaces', 'addresses'],
  ['prevresult.routes', 'passedRoutes'],
  ['cni.dev/valid-attachments', 'attachments'],
  ['cni.dev/attachments', 'attachments'],
];
const LIMIT_OF: ReadonlyMap<string, Limit> = new Map(LISTS);

/** A value of a configuration that is too large, and why. */
export interface Excess {
  /** `.ipam.ranges` */
  readonly path: string;
  readonly what: string;
}

interface Place {
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
  /** Key in LIMIT_OF. */
  readonly pattern: string;
}

/**
 * Returns the first value of parsed JSON that exceeds a limit; undefined if none does. Visits each value once, without
 * recursion. `values` replaces the limit of that name.
 */
export function excessOf(root: unknown, values: number = LIMITS.values): Excess | undefined {
  const open: Place[] = [{ value: root, path: '', depth: 0, pattern: '' }];
  let count = 0;
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value, path, depth } = place;
    if (++count > values) return { path: '.', what: `has more than ${values} values` };
    const what = typeof value === 'string' ? textFault(value) : sizeFault(place);
    if (what !== undefined) return { path: shortened(path), what };
    if (typeof value !== 'object' || value === null) continue;
    const isList = Array.isArray(value);
    // Last key first: the stack gives back the first one.
    for (const [key, inner] of Object.entries(value).reverse()) {
      if (!isList && textFault(key) !== undefined)
        return { path: shortened(path), what: `has a key that ${textFault(key)}` };
      const step = isList || place.pattern === 'runtimeconfig.aliases' ? '*' : key.toLowerCase();
      open.push({
        value: inner,
        path: isList ? `${path}[${key}]` : `${path}.${key}`,
        depth: depth + 1,
        pattern: place.pattern === '' ? step : `${place.pattern}.${step}`,
      });
    }
  }
  return undefined;
}

function shortened(path: string): string {
  return path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path || '.';
}

/** Throws NetError `invalid-config` for a configuration with a value that exceeds a limit. */
export function assertModest(config: unknown): void {
  const excess = excessOf(config);
  if (excess !== undefined) throw tooLarge(excess);
}

/** NetError `invalid-config`: `config .ipam.ranges: has 12000 items, 64 are the limit`. */
export function tooLarge({ path, what }: Excess): NetError {
  return fault.invalidConfig('config', path, what, 'Make it smaller');
}

function textFault(text: string): string | undefined {
  if (text.length > LIMITS.text) return `has ${text.length} characters, ${LIMITS.text} are the limit`;
  return text.includes('\0') ? 'has a NUL character' : undefined;
}

function sizeFault({ value, depth, pattern }: Place): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > LIMITS.depth) return `has more than ${LIMITS.depth} levels`;
  if (Array.isArray(value)) {
    const limit = LIMIT_OF.get(pattern);
    if (limit === undefined || value.length <= LIMITS[limit]) return undefined;
    return `has ${value.length} items, ${LIMITS[limit]} are the limit`;
  }
  const keys = Object.keys(value).length;
  return keys > LIMITS.keys ? `has ${keys} keys, ${LIMITS.keys} are the limit` : undefined;
}
