import type { BadInput } from './case.ts';

const POOL = '10.88.0.0/24';

/** A value of `ipam` that is wrong: code 7, with JSON path and value. */
function wrong(path: string, value: unknown, rule: string, ipam: Readonly<Record<string, unknown>>): BadInput {
  const shown = JSON.stringify(value);
  return { title: `.ipam.${path}=${shown}: ${rule}`, ipam, code: 7, says: [`.ipam.${path}=${shown}`, rule] };
}

/** A wrong value of the only range. */
function wrongRange(key: string, value: unknown, rule: string): BadInput {
  return wrong(`ranges[0][0].${key}`, value, rule, { ranges: [[{ subnet: POOL, [key]: value }]] });
}

function wrongRoute(key: string, value: unknown, rule: string): BadInput {
  return wrong(`routes[0].${key}`, value, rule, { routes: [{ dst: '10.0.0.0/8', [key]: value }] });
}

const RANGES: readonly BadInput[] = [
  wrongRange('subnet', 5, 'string'),
  wrongRange('subnet', '10.88.0.0', 'prefix length'),
  wrongRange('subnet', '10.88.0.0/33', 'prefix length'),
  wrongRange('subnet', '10.88.0.5/24', 'host bits'),
  wrongRange('subnet', '10.88.0.0/31', 'no room'),
  wrongRange('subnet', 'fd00:88::/127', 'no room'),
  wrongRange('subnet', 'web', 'prefix length'),
  wrongRange('rangeStart', '10.89.0.9', `outside subnet ${POOL}`),
  wrongRange('rangeEnd', '10.87.255.255', `outside subnet ${POOL}`),
  wrongRange('rangeStart', 'first', 'not an IP address'),
  wrongRange('gateway', '10.89.0.1', `outside subnet ${POOL}`),
  wrongRange('gateway', 'fd00:88::1', `outside subnet ${POOL}`),
  wrong('ranges[0][0].rangeStart', '10.88.0.90', 'above rangeEnd 10.88.0.9', {
    ranges: [[{ subnet: POOL, rangeStart: '10.88.0.90', rangeEnd: '10.88.0.9' }]],
  }),
  wrong('rangeStart', '10.88.0.9', 'needs .ipam.subnet', { ranges: undefined, rangeStart: '10.88.0.9' }),
  wrong('ranges', {}, 'array', { ranges: {} }),
  wrong('ranges[0]', { subnet: POOL }, 'array', { ranges: [{ subnet: POOL }] }),
  {
    title: "a link-local gateway of the host's bridge",
    top: { isGateway: true },
    ipam: { ranges: [[{ subnet: 'fd00:88::/64', gateway: 'fe80::1' }]] },
    code: 7,
    says: ['.ipam.gateway="fe80::1"', 'outside subnet fd00:88::/64', 'no route'],
    hint: 'of the subnet',
  },
  {
    title: 'an MTU that IPv6 does not fit into',
    top: { mtu: 1279 },
    ipam: { ranges: [[{ subnet: 'fd00:88::/64' }]] },
    code: 7,
    says: ['.mtu=1279', 'IPv6 needs 1280'],
    hint: '1280 or more',
  },
  { title: 'no range at all', ipam: { ranges: [] }, code: 7, says: ['.ipam=', 'no range'], hint: '.ipam.subnet' },
  { title: 'an empty range set', ipam: { ranges: [[]] }, code: 7, says: ['.ipam.ranges[0]=[]'] },
  {
    title: 'a range without a subnet',
    ipam: { ranges: [[{ rangeStart: '10.88.0.9' }]] },
    code: 7,
    says: ['.ipam.ranges[0][0].subnet', 'missing'],
  },
  {
    title: 'range sets that overlap',
    ipam: { ranges: [[{ subnet: POOL }], [{ subnet: '10.88.0.128/25' }]] },
    code: 7,
    says: ['.ipam.ranges[1]=', 'overlaps .ipam.ranges[0]'],
  },
  {
    title: 'ranges of one set that overlap',
    ipam: { ranges: [[{ subnet: POOL }, { subnet: '10.88.0.128/25' }]] },
    code: 7,
    says: ['.ipam.ranges[0][1].subnet="10.88.0.128/25"', 'overlaps'],
  },
  {
    title: 'a range set of two families',
    ipam: { ranges: [[{ subnet: POOL }, { subnet: 'fd00:88::/64' }]] },
    code: 7,
    says: ['.ipam.ranges[0][1].subnet="fd00:88::/64"', 'IPv6', 'IPv4'],
  },
  {
    title: 'two range sets of a family in 0.2.0',
    top: { cniVersion: '0.2.0' },
    cniVersion: '0.2.0',
    ipam: { ranges: [[{ subnet: POOL }], [{ subnet: '10.90.0.0/24' }]] },
    code: 7,
    says: ['.ipam.ranges[1]=', '0.3.0'],
  },
  {
    title: 'ranges of the runtime that are none',
    top: { runtimeConfig: { ipRanges: [[{ subnet: '10.90.0.7/24' }]] } },
    code: 7,
    says: ['.runtimeConfig.ipRanges[0][0].subnet="10.90.0.7/24"', 'host bits'],
  },
  {
    title: 'ranges of the runtime that overlap the configured ones',
    top: { runtimeConfig: { ipRanges: [[{ subnet: '10.88.0.64/26' }]] } },
    code: 7,
    says: ['.ipam.ranges[0]=', 'overlaps .runtimeConfig.ipRanges[0]'],
  },
  wrong('resolvConf', '/nowhere/resolv.conf', 'cannot be read', { resolvConf: '/nowhere/resolv.conf' }),
  { title: 'host-local without ipam', name: 'host-local', top: { ipam: undefined }, code: 7, says: ['.ipam'] },
  {
    title: 'host-local without a range',
    name: 'host-local',
    ipam: { ranges: undefined },
    code: 7,
    says: ['.ipam', 'no range'],
  },
];

const ROUTES: readonly BadInput[] = [
  wrongRoute('dst', 'default', 'prefix length'),
  wrongRoute('dst', 7, 'string'),
  wrongRoute('gw', '10.88.0', 'not an IP address'),
  wrongRoute('gw', 'fd00::1', 'IPv6'),
  wrongRoute('mtu', -1, '>= 0'),
  wrongRoute('priority', 'low', 'integer'),
  wrongRoute('scope', 256, '<= 255'),
  wrong('routes', '0.0.0.0/0', 'array', { routes: '0.0.0.0/0' }),
  {
    title: 'a route without dst',
    ipam: { routes: [{ gw: '10.88.0.1' }] },
    code: 7,
    says: ['.ipam.routes[0].dst', 'missing'],
  },
];

/** Addresses that cannot be had. */
const REQUESTED: readonly BadInput[] = [
  ...[
    ['10.99.0.9', 'outside'],
    ['10.88.0.1', 'gateway'],
    ['10.88.0.0', 'network address'],
    ['10.88.0.255', 'broadcast address'],
  ].map(
    ([ip = '', what = '']): BadInput => ({
      title: `${ip} is asked for: ${what}`,
      top: { runtimeConfig: { ips: [ip] } },
      code: 7,
      says: [ip, what],
    }),
  ),
  {
    title: 'the gateway is asked for by args.cni.ips',
    top: { args: { cni: { ips: ['10.88.0.1/24'] } } },
    code: 7,
    says: ['10.88.0.1', 'gateway'],
  },
  { title: 'an address outside the pool by CNI_ARGS', args: 'IP=10.99.0.9', code: 7, says: ['10.99.0.9', POOL] },
  {
    title: 'an address of the other family',
    top: { runtimeConfig: { ips: ['fd00::9'] } },
    code: 7,
    says: ['fd00::9', POOL],
  },
  {
    title: 'two addresses of one range set',
    top: { runtimeConfig: { ips: ['10.88.0.8', '10.88.0.9'] } },
    code: 7,
    says: ['10.88.0.9'],
  },
  {
    title: 'an address that is none',
    top: { runtimeConfig: { ips: ['ten'] } },
    code: 7,
    says: ['.runtimeConfig.ips[0]="ten"'],
  },
  {
    title: 'an address that is a number',
    top: { runtimeConfig: { ips: [10] } },
    code: 7,
    says: ['.runtimeConfig.ips[0]=', '10', 'IP address'],
  },
  {
    title: 'an address that somebody has',
    top: { runtimeConfig: { ips: ['10.88.0.2'] } },
    code: 101,
    says: ['10.88.0.2', 'pod0'],
  },
  {
    title: 'a pool of one address, which is taken',
    top: { name: 'full', bridge: 'isth1' },
    ipam: { ranges: [[{ subnet: '10.89.0.0/30' }]] },
    code: 11,
    says: ['10.89.0.', '1 of 1'],
    hint: 'GC',
  },
  {
    title: 'a pool without an address beside the gateway',
    top: { name: 'empty' },
    ipam: { ranges: [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.1', rangeEnd: '10.88.0.1' }]] },
    code: 7,
    says: ['.ipam.ranges[0]', 'gateway'],
  },
  {
    title: 'STATUS of a full pool',
    command: 'STATUS',
    top: { name: 'full', bridge: 'isth1' },
    ipam: { ranges: [[{ subnet: '10.89.0.0/30' }]] },
    code: 50,
    says: ['10.89.0.', '1 of 1'],
    hint: 'GC',
  },
];

const STATIC: readonly BadInput[] = [
  {
    title: 'static without addresses',
    ipam: { type: 'static', ranges: undefined, routes: undefined, dataDir: undefined },
    code: 7,
    says: ['.ipam.addresses', 'address'],
  },
  {
    title: 'static with an address without length',
    ipam: { type: 'static', ranges: undefined, addresses: [{ address: '10.88.0.9' }] },
    code: 7,
    says: ['.ipam.addresses[0].address="10.88.0.9"', 'prefix length'],
  },
  {
    title: 'static with a gateway of the other family',
    name: 'static',
    ipam: { type: 'static', addresses: [{ address: '10.88.0.9/24', gateway: 'fd00::1' }] },
    code: 7,
    says: ['.ipam.addresses[0].gateway="fd00::1"', 'IPv6'],
  },
  {
    title: 'static with an address list that is none',
    name: 'static',
    ipam: { type: 'static', addresses: '10.88.0.9/24' },
    code: 7,
    says: ['.ipam.addresses="10.88.0.9/24"', 'array'],
  },
  {
    title: 'static with a CNI_ARGS GATEWAY that is none',
    name: 'static',
    args: 'IP=10.88.0.9/24;GATEWAY=here',
    ipam: { type: 'static' },
    code: 4,
    says: ['CNI_ARGS GATEWAY="here"', 'IP address'],
  },
];

export const ADDRESSES: readonly BadInput[] = [...RANGES, ...ROUTES, ...REQUESTED, ...STATIC];
