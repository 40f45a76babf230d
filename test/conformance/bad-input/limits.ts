import type { BadInput } from './case.ts';

function list(title: string, path: string, count: number, change: Pick<BadInput, 'top' | 'ipam'>): BadInput {
  return { title, ...change, code: 7, says: [path, `${count}`, 'the limit'] };
}

function sets(count: number): object[][] {
  return Array.from({ length: count }, (_, i) => [{ subnet: `10.${i >> 8}.${i & 255}.0/24` }]);
}

const LISTS: readonly BadInput[] = [
  list('12,000 range sets', '.ipam.ranges', 12_000, { ipam: { ranges: sets(12_000) } }),
  list('one range set too many', '.ipam.ranges', 65, { ipam: { ranges: sets(65) } }),
  list('12,000 ranges in one set', '.ipam.ranges[0]', 12_000, { ipam: { ranges: [sets(12_000).flat()] } }),
  list('200 ranges in two sets', '.ipam', 200, {
    ipam: { ranges: [sets(200).flat().slice(0, 100), sets(200).flat().slice(100)] },
  }),
  list('25,000 nonMasqueradeCIDRs', '.nonMasqueradeCIDRs', 25_000, {
    top: { ipMasq: true, nonMasqueradeCIDRs: Array(25_000).fill('10.0.0.0/8') },
  }),
  list('10,000 routes', '.ipam.routes', 10_000, { ipam: { routes: Array(10_000).fill({ dst: '10.0.0.0/8' }) } }),
  list('10,000 name servers', '.dns.nameservers', 10_000, { top: { dns: { nameservers: Array(10_000).fill('::1') } } }),
  list('10,000 VLAN ranges', '.vlanTrunk', 10_000, { top: { vlanTrunk: Array(10_000).fill({ id: 1 }) } }),
  list('10,000 requested addresses', '.runtimeConfig.ips', 10_000, {
    top: { runtimeConfig: { ips: Array(10_000).fill('10.88.0.9') } },
  }),
  list('10,000 ports', '.runtimeConfig.portMappings', 10_000, {
    top: { runtimeConfig: { portMappings: Array(10_000).fill({ hostPort: 1, containerPort: 1 }) } },
  }),
  list('10,000 aliases', '.runtimeConfig.aliases.web', 10_000, {
    top: { runtimeConfig: { aliases: { web: Array(10_000).fill('a') } } },
  }),
  list('10,000 keys', '.args.cni', 10_000, {
    top: { args: { cni: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i])) } },
  }),
  list('a key of 100,000 characters', 'has a key', 100_000, { top: { ['k'.repeat(100_000)]: 1 } }),
  list('a text of 100,000 characters', '.args.cni.a', 100_000, { top: { args: { cni: { a: '/'.repeat(100_000) } } } }),
  {
    title: '100,000 values',
    top: { args: { cni: { a: Array(100_000).fill(0) } } },
    code: 7,
    says: ['more than 65536 values'],
  },
];

const NAMES: readonly BadInput[] = [
  ...['br%d', 'br%', 'all', 'default', 'br*', 'br+', '-br', 'a"b', 'br\u202e', 'br\x9b'].map(
    (bridge): BadInput => ({
      title: `.bridge=${JSON.stringify(bridge)}`,
      top: { bridge },
      code: 7,
      says: ['.bridge='],
    }),
  ),
  { title: '.bridge with a NUL', top: { bridge: 'br\0' }, code: 7, says: ['.bridge', 'NUL'] },
  { title: '.ipam.dataDir with a NUL', ipam: { dataDir: '/tmp/a\0b' }, code: 7, says: ['.ipam.dataDir', 'NUL'] },
  { title: 'a key with a NUL', top: { args: { cni: { 'a\0': 1 } } }, code: 7, says: ['.args.cni', 'NUL'] },
  ...['all', 'default', 'eth%d', 'eth+', 'eth*', '-eth', 'eth\u202e'].map(
    (name): BadInput => ({
      title: `CNI_IFNAME ${JSON.stringify(name)}`,
      env: () => ({ CNI_IFNAME: name }),
      code: 4,
      says: ['CNI_IFNAME=', 'no interface'],
    }),
  ),
  {
    title: 'a CNI_CONTAINERID of 2,000 characters',
    env: () => ({ CNI_CONTAINERID: 'x'.repeat(2000) }),
    code: 4,
    says: ['CNI_CONTAINERID', '2000 characters', 'the limit'],
  },
  {
    title: '1,000 directories in CNI_PATH',
    env: () => ({ CNI_PATH: Array(1000).fill('/x').join(':') }),
    code: 4,
    says: ['CNI_PATH', '64 directories'],
  },
  {
    title: 'CNI_ARGS of 100,000 spaces',
    args: `A=${' '.repeat(100_000)}`,
    code: 4,
    says: ['CNI_ARGS', '100002 characters', 'the limit'],
  },
];

const ADDRESSES: readonly BadInput[] = [
  ...[
    ['224.0.0.0/8', 'multicast'],
    ['ff02::/64', 'multicast'],
    ['127.0.0.0/8', 'loopback'],
    ['127.5.0.0/16', 'loopback'],
    ['0.0.0.0/8', 'unspecified'],
    ['0.0.0.0/0', 'unspecified'],
    ['128.0.0.0/1', 'contains multicast'],
    ['::/0', 'unspecified'],
    ['::/64', 'unspecified'],
    ['::ffff:10.0.0.0/104', 'IPv4-mapped'],
  ].map(
    ([subnet = '', why = '']): BadInput => ({
      title: `a pool of ${subnet}`,
      ipam: { ranges: [[{ subnet }]] },
      code: 7,
      says: ['.ipam.ranges[0][0].subnet=', why],
    }),
  ),
  ...['224.0.0.5/24', '127.0.0.1/8', '0.0.0.0/24', '255.255.255.255/32', '::1/128', 'ff02::1/64'].map(
    (address): BadInput => ({
      title: `static address ${address}`,
      name: 'static',
      ipam: { type: 'static', addresses: [{ address }] },
      code: 7,
      says: ['.ipam.addresses[0].address=', 'it is '],
    }),
  ),
  {
    title: 'a static address of multicast in CNI_ARGS',
    name: 'static',
    args: 'IP=224.0.0.5/24',
    ipam: { type: 'static' },
    code: 4,
    says: ['CNI_ARGS IP="224.0.0.5/32"', 'multicast'],
  },
];

const PORT = { runtimeConfig: { portMappings: [{ hostPort: 8099, containerPort: 80, protocol: 'tcp' }] } };

const CONDITIONS: readonly BadInput[] = [
  ...[
    ['-M', '/tmp/program'],
    ['--modprobe=/tmp/x'],
    ['--modp=/tmp/x'],
    ['-h'],
    ['-V'],
    ['-6'],
    ['-s', '::1', '-jACCEPT'],
  ].map(
    (conditionsV4): BadInput => ({
      title: `conditionsV4 ${JSON.stringify(conditionsV4)}`,
      top: { ...PORT, backend: 'iptables', conditionsV4 },
      code: 7,
      says: ['.conditionsV4=', 'not a match of iptables'],
    }),
  ),
  ...[
    'meta mark set 1',
    'ip saddr 192.0.2.1 notrack',
    'update @seen { ip saddr }',
    'ip saddr vmap { 192.0.2.1 : drop }',
  ].map(
    (text): BadInput => ({
      title: `conditionsV4 ${JSON.stringify(text)}`,
      top: { ...PORT, backend: 'nftables', conditionsV4: [text] },
      code: 7,
      says: [text, 'not a match in the syntax of nft'],
    }),
  ),
];

export const LIMITED: readonly BadInput[] = [...LISTS, ...NAMES, ...ADDRESSES, ...CONDITIONS];
