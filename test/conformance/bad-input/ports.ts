import type { BadInput } from './case.ts';

/** A port that a process listens on, in the scene; and one that leads to pod 0, there and on one address only. */
export const LISTENED = 9090;
export const HELD = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };
export const HELD_ON_ONE = { hostPort: 8053, containerPort: 53, protocol: 'udp', hostIP: '10.70.0.1' };

/** One that is right and free. */
export const PORT = { hostPort: 8081, containerPort: 80, protocol: 'tcp' };
export const PATH = '.runtimeConfig.portMappings';

export type Changes = Readonly<Record<string, unknown>>;

/** The input of a chained plugin: an address of network `web`. */
export const prevResult = {
  cniVersion: '1.1.0',
  interfaces: [{ name: 'veth0' }, { name: 'eth0', sandbox: '/run/netns/pod' }],
  ips: [{ address: '10.88.0.99/24', interface: 1 }],
};

/** Under the plugin's own name, and chained as portmap. */
function both(title: string, top: Changes, says: readonly string[], rest: Partial<BadInput> = {}): BadInput[] {
  return [
    { title: `isthmus: ${title}`, code: 7, says, top, ...rest },
    { title: `portmap: ${title}`, name: 'portmap', code: 7, says, top: { ...top, prevResult }, ...rest },
  ];
}

function ports(title: string, mappings: unknown, says: readonly string[], rest: Partial<BadInput> = {}): BadInput[] {
  return both(title, { runtimeConfig: { portMappings: mappings } }, says, rest);
}

/** One key of one mapping is wrong. */
function port(title: string, changes: Changes, rule: string): BadInput[] {
  const [[key, value] = []] = Object.entries(changes);
  const shown = value === undefined ? `${PATH}[0].${key}` : `${PATH}[0].${key}=${JSON.stringify(value)}`;
  return ports(title, [{ ...PORT, ...changes }], [shown, rule]);
}

/** Options beside one port that is right. */
function options(title: string, top: Changes, says: readonly string[], rest: Partial<BadInput> = {}): BadInput[] {
  return both(title, { ...top, runtimeConfig: { portMappings: [PORT] } }, says, rest);
}

/** One port of one mapping. */
const NUMBERS: readonly BadInput[] = [
  ...port('host port 0', { hostPort: 0 }, 'not a port'),
  ...port('host port 65536', { hostPort: 65536 }, 'not a port'),
  ...port('a negative host port', { hostPort: -1 }, 'not a port'),
  ...port('a host port as text', { hostPort: '8081' }, 'not a port'),
  ...port('half a host port', { hostPort: 80.5 }, 'not a port'),
  ...port('no host port', { hostPort: undefined }, 'missing'),
  ...port('container port 0', { containerPort: 0 }, 'not a port'),
  ...port('container port 65536', { containerPort: 65536 }, 'not a port'),
  ...port('no container port', { containerPort: undefined }, 'missing'),
  ...port('an unknown protocol', { protocol: 'icmp' }, 'not a protocol'),
  ...port('a protocol that is a number', { protocol: 6 }, 'not a string'),
  ...port('a host address that is none', { hostIP: '10.88.0' }, 'address'),
  ...port('a host address with its length', { hostIP: '10.88.0.1/24' }, 'address'),
  ...port('a host address that is a number', { hostIP: 10 }, 'not a string'),
  ...port('an IPv6 address for a pod that has none', { hostIP: '::' }, 'IPv6'),
  ...port('the loopback address of IPv6', { hostIP: '::1' }, 'the kernel does not lead connections to ::1'),
  // portmap takes it: keepalived may bring the address later.
  ...ports(
    'an address of another host',
    [{ ...PORT, hostIP: '192.0.2.1' }],
    ['192.0.2.1', 'not an address of this'],
  ).filter(({ name }) => name !== 'portmap'),
  ...ports('mappings that are no list', { hostPort: 8081 }, [`${PATH}={"hostPort":8081}`, 'not a list']),
  ...ports('a mapping that is a text', ['8081:80'], [`${PATH}[0]`]),
];

/** Errors of iptables itself: on a separate network, because shared rules come before those of endpoints. */
function refusedByIptables(title: string, top: Changes, says: readonly string[]): BadInput[] {
  const ipam = { ranges: [[{ subnet: '10.91.0.0/24' }]] };
  const runtimeConfig = { portMappings: [PORT] };
  return [{ title, code: 7, says, ipam, top: { name: 'other', bridge: 'isth9', ...top, runtimeConfig } }];
}

/** Ports in use. */
const TAKEN: readonly BadInput[] = [
  ...ports('one host port twice', [PORT, { ...PORT, containerPort: 81 }], [`${PATH}[1]=`, '[0]'], { hint: 'once' }),
  ...ports('one host port on one address and on all', [PORT, { ...PORT, hostIP: '10.88.0.1' }], [`${PATH}[1]=`, '[0]']),
  ...ports('one host port by two spellings', [PORT, { hostport: 8081, containerport: 8, protocol: 'TCP' }], ['[1]=']),
  ...ports('a port of another pod', [PORT, HELD], ['8080', 'tcp', 'pod0', 'eth0', 'web'], { code: 101 }),
  ...ports('a port of another pod, on one address', [{ ...HELD, hostIP: '127.0.0.1' }], ['8080', 'pod0'], {
    code: 101,
  }),
  ...ports('a port that another pod has on one address', [{ ...HELD_ON_ONE, hostIP: undefined }], ['8053', 'pod0'], {
    code: 101,
  }),
  ...ports(
    'a port that a process listens on',
    [PORT, { ...PORT, hostPort: LISTENED }],
    [String(LISTENED), 'tcp', '(pid '],
    { code: 101, hint: 'another host port' },
  ),
  ...ports(
    'a port that a process listens on, on one address',
    [{ ...PORT, hostPort: LISTENED, hostIP: '10.88.0.1' }],
    [String(LISTENED), '(pid '],
    { code: 101 },
  ),
];

/** The reference portmap's keys. */
const PORTMAP: readonly BadInput[] = [
  ...options('both ways to mark', { markMasqBit: 5, externalSetMarkChain: 'KUBE-MARK-MASQ' }, [
    '.markMasqBit=5',
    'externalSetMarkChain',
  ]),
  ...options('bit 32 of a mark', { markMasqBit: 32 }, ['.markMasqBit=32']),
  ...options('a negative bit', { markMasqBit: -1 }, ['.markMasqBit=-1']),
  ...options('a bit as text', { markMasqBit: '13' }, ['.markMasqBit="13"']),
  ...options('snat as text', { snat: 'no' }, ['.snat="no"', 'boolean']),
  ...options('masqAll as a number', { masqAll: 1 }, ['.masqAll=1', 'boolean']),
  ...options('conditions that are a text', { conditionsV4: '-s 10.0.0.0/8' }, ['.conditionsV4="-s 10.0.0.0/8"']),
  ...options('conditions that are numbers', { conditionsV4: [1] }, ['.conditionsV4']),
  ...options('a backend that there is not', { backend: 'pf' }, ['.backend="pf"'], { hint: 'nftables' }),
  ...options(
    'a chain that marks, in nftables',
    { backend: 'nftables', externalSetMarkChain: 'MARKS' },
    ['.externalSetMarkChain="MARKS"', 'iptables'],
    { code: 2 },
  ),
  ...options('conditions of iptables in nftables', { backend: 'nftables', conditionsV4: ['-s', '10.0.0.0/8'] }, [
    '.conditionsV4=["-s","10.0.0.0/8"]',
    'iptables',
    'nftables',
  ]),
  ...options('conditions of nftables in iptables', { backend: 'iptables', conditionsV4: ['ip saddr 10.0.0.0/8'] }, [
    '.conditionsV4=["ip saddr 10.0.0.0/8"]',
    'iptables',
    'nftables',
  ]),
  ...options('IPv6 conditions of the other backend', { backend: 'nftables', conditionsV6: ['!', '-i', 'lo'] }, [
    '.conditionsV6=["!","-i","lo"]',
  ]),
  ...options('conditions of both backends', { conditionsV4: ['-s', '10.0.0.0/8'], conditionsV6: ['iifname eth0'] }, [
    '.conditionsV6',
  ]),
  ...options('conditions of both backends in one list', { conditionsV4: ['iifname eth0', '-s', '10.0.0.0/8'] }, [
    '.conditionsV4',
    '"-s"',
  ]),
  ...options('an nft condition that is none', { conditionsV4: ['saddr is 10.0.0.0/8'] }, ['saddr is 10.0.0.0/8']),
  ...options('an nft condition that ends the rule', { conditionsV4: ['ip saddr 10.0.0.0/8; flush ruleset'] }, [
    'flush ruleset',
  ]),
  ...options('an nft condition of two lines', { conditionsV4: ['ip saddr 10.0.0.0/8\nflush ruleset'] }, [
    'flush ruleset',
  ]),
  ...options('an nft condition with a verdict', { conditionsV4: ['ip saddr 10.0.0.0/8 drop'] }, ['drop']),
  ...refusedByIptables('an iptables condition that is none', { conditionsV4: ['--sauce', '10.0.0.0/8'] }, ['--sauce']),
  ...refusedByIptables('an iptables condition with a target', { conditionsV4: ['-s', '10.0.0.0/8', '-j', 'DROP'] }, [
    '-j',
  ]),
  ...refusedByIptables('an iptables condition of two lines', { conditionsV4: ['-s', '10.0.0.0/8\nCOMMIT'] }, [
    'COMMIT',
  ]),
  ...refusedByIptables('a chain that is not there', { externalSetMarkChain: 'NOWHERE' }, [
    'NOWHERE',
    'externalSetMarkChain',
  ]),
  ...options('a chain that is no name', { externalSetMarkChain: 'A B; C' }, ['.externalSetMarkChain="A B; C"']),
  ...options('no backend', { backend: 'none' }, ['.backend="none"']),
];

/** Host ports, as one element of a list and chained. */
export const PORTS: readonly BadInput[] = [...NUMBERS, ...TAKEN, ...PORTMAP];
