import type { BadInput } from './case.ts';

/** A key of the configuration that is wrongly typed or out of range: code 7, with JSON path and value. */
function wrong(path: string, value: unknown, rule: string, top: Readonly<Record<string, unknown>>): BadInput {
  const shown = JSON.stringify(value);
  return { title: `${path}=${shown}`, top, code: 7, says: [`${path}=${shown}`, rule] };
}

function wrongTop(key: string, value: unknown, rule: string): BadInput {
  return wrong(`.${key}`, value, rule, { [key]: value });
}

/** A misspelt key under our own name: code 7, with the nearest right one. */
function unknown(path: string, near: string, change: Pick<BadInput, 'top' | 'ipam'>): BadInput {
  return {
    title: `${path}, a key that there is not`,
    ...change,
    code: 7,
    says: [`${path}=`, 'no such key'],
    hint: near,
  };
}

const LONG = 'n'.repeat(129);

const TYPES: readonly BadInput[] = [
  { title: '.name missing', top: { name: undefined }, code: 7, says: ['.name', 'missing'] },
  { title: '.name empty', top: { name: '' }, code: 7, says: ['.name=""'] },
  { title: '.name that is a number', top: { name: 7 }, code: 7, says: ['.name=7'] },
  { title: '.name with a slash', top: { name: 'a/b' }, code: 7, says: ['.name="a/b"'] },
  { title: '.name that begins with a hyphen', top: { name: '-web' }, code: 7, says: ['.name="-web"'] },
  { title: '.name of 129 characters', top: { name: LONG }, code: 7, says: ['.name="nnn'], hint: '128' },
  { title: '.name missing, for DEL', command: 'DEL', top: { name: undefined }, code: 7, says: ['.name', 'missing'] },
  { title: '.name missing, for GC', command: 'GC', top: { name: undefined }, code: 7, says: ['.name', 'missing'] },
  { ...wrongTop('driver', 'brigde', 'not known'), hint: '"bridge"' },
  wrongTop('bridge', 5, 'string'),
  wrongTop('bridge', 'a/b', 'interface'),
  wrongTop('bridge', 'sixteencharacter', 'interface'),
  wrongTop('bridge', '..', 'interface'),
  wrongTop('bridge', 'ääääääää', '15 bytes'),
  wrongTop('isGateway', 'true', 'boolean'),
  wrongTop('hairpinMode', 1, 'boolean'),
  wrongTop('forceAddress', 'no', 'boolean'),
  wrongTop('mtu', '1500', 'integer'),
  wrongTop('mtu', -1, '>= 0'),
  wrongTop('mtu', 65536, '<= 65535'),
  wrongTop('mtu', 1500.5, 'integer'),
  wrongTop('mtu', 67, '68'),
  wrongTop('vlan', 4095, '<= 4094'),
  wrongTop('vlan', '100', 'integer'),
  wrongTop('vlanTrunk', { id: 5 }, 'array'),
  wrong('.vlanTrunk[0].id', 0, '>= 1', { vlanTrunk: [{ id: 0 }] }),
  wrong('.vlanTrunk[1]', {}, 'minID and maxID', { vlanTrunk: [{ id: 3 }, {}] }),
  wrong('.vlanTrunk[0]', { minID: 10 }, 'go together', { vlanTrunk: [{ minID: 10 }] }),
  wrong('.vlanTrunk[0]', { minID: 20, maxID: 10 }, 'minID 20 is above maxID 10', {
    vlanTrunk: [{ minID: 20, maxID: 10 }],
  }),
  wrongTop('dns', '10.88.0.1', 'object'),
  wrong('.dns.nameservers', '10.88.0.1', 'array', { dns: { nameservers: '10.88.0.1' } }),
  wrongTop('ipam', 'host-local', 'object'),
  wrong('.ipam.type', 5, 'string', { ipam: { type: 5 } }),
  wrongTop('capabilities', ['ips'], 'object'),
  wrong('.capabilities.ips', 'yes', 'boolean', { capabilities: { ips: 'yes' } }),
  wrongTop('args', 'IP=10.88.0.9', 'object'),
  wrongTop('runtimeConfig', [], 'object'),
  wrong('.runtimeConfig.ips', '10.88.0.9', 'list', { runtimeConfig: { ips: '10.88.0.9' } }),
  wrong('.args.cni.ips', '10.88.0.9', 'list', { args: { cni: { ips: '10.88.0.9' } } }),
  wrong('.runtimeConfig.aliases', ['a'], 'lists of names', { runtimeConfig: { aliases: ['a'] } }),
  wrong('.runtimeConfig.aliases', { web: 'a' }, 'lists of names', { runtimeConfig: { aliases: { web: 'a' } } }),
  wrong('.runtimeConfig.mac', 'banana', 'MAC address', { runtimeConfig: { mac: 'banana' } }),
  wrong('.runtimeConfig.mac', 7, 'MAC address', { runtimeConfig: { mac: 7 } }),
  wrong('.runtimeConfig.mac', '33:33:00:00:00:01', 'group', { runtimeConfig: { mac: '33:33:00:00:00:01' } }),
  wrong('.runtimeConfig.mac', '00:00:00:00:00:00', 'zero', { runtimeConfig: { mac: '00:00:00:00:00:00' } }),
  wrong('.args.cni.mac', '0a:58:0a:58:00', 'MAC address', { args: { cni: { mac: '0a:58:0a:58:00' } } }),
  wrongTop('disableCheck', 1, 'boolean or a string'),
];

const UNKNOWN: readonly BadInput[] = [
  unknown('.brigde', 'bridge', { top: { brigde: 'isth0' } }),
  unknown('.isGatway', 'isGateway', { top: { isGatway: true } }),
  unknown('.Bridge', 'bridge', { top: { Bridge: 'isth0' } }),
  unknown('.hairpin', 'hairpinMode', { top: { hairpin: true } }),
  unknown('.colour', 'Known keys: ', { top: { colour: 'green' } }),
  unknown('.dns.nameserver', 'nameservers', { top: { dns: { nameserver: ['10.88.0.1'] } } }),
  unknown('.vlanTrunk[0].minId', 'minID', { top: { vlanTrunk: [{ minId: 5, maxID: 6 }] } }),
  unknown('.ipam.ragnes', 'ranges', { ipam: { ragnes: [] } }),
  unknown('.ipam.subnets', 'subnet', { ipam: { subnets: '10.88.0.0/24' } }),
  unknown('.ipam.ranges[0][0].rangeStrat', 'rangeStart', {
    ipam: { ranges: [[{ subnet: '10.88.0.0/24', rangeStrat: '10.88.0.9' }]] },
  }),
  unknown('.ipam.routes[0].dest', 'dst', { ipam: { routes: [{ dest: '0.0.0.0/0' }] } }),
];

/** Keys that are right each by itself. */
const CONTRADICTIONS: readonly BadInput[] = [
  {
    title: 'hairpinMode with promiscMode',
    top: { hairpinMode: true, promiscMode: true },
    code: 7,
    says: ['.hairpinMode=true', 'promiscMode'],
  },
  {
    title: 'hairpinMode with promiscMode under the name bridge',
    name: 'bridge',
    top: { hairpinMode: true, promiscMode: true },
    code: 7,
    says: ['.hairpinMode=true', 'promiscMode'],
  },
  {
    title: 'disableContainerInterface with ipam',
    top: { disableContainerInterface: true },
    code: 7,
    says: ['.disableContainerInterface=true', '.ipam'],
  },
  { title: 'isGateway without ipam', top: { ipam: undefined }, code: 7, says: ['.isGateway=true', '.ipam'] },
  {
    title: 'isDefaultGateway without ipam',
    top: { ipam: undefined, isGateway: undefined, isDefaultGateway: true },
    code: 7,
    says: ['.isDefaultGateway=true', '.ipam'],
  },
  {
    title: 'a VLAN whose gateway would have too long a name',
    top: { bridge: 'isth0123456789', vlan: 10 },
    code: 7,
    says: ['.vlan=10', 'isth0123456789.10', '15 bytes'],
    hint: '.bridge',
  },
  {
    title: 'driver null with a bridge',
    top: { driver: 'null', isGateway: undefined, ipam: undefined },
    code: 7,
    says: ['.bridge="isth0"', 'driver "null"'],
  },
  {
    title: 'driver host with ipam',
    top: { driver: 'host', bridge: undefined, isGateway: undefined },
    code: 7,
    says: ['.ipam=', 'driver "host"'],
  },
];

/** cniVersion: code 1. */
const VERSIONS: readonly BadInput[] = [
  {
    title: 'a version that is not released',
    top: { cniVersion: '9.9.9' },
    code: 1,
    says: ['.cniVersion="9.9.9"', '0.1.0'],
  },
  { title: 'a version that is cut short', top: { cniVersion: '1.0' }, code: 1, says: ['.cniVersion="1.0"', '1.0.0'] },
  {
    title: 'a version that is a number',
    top: { cniVersion: 1 },
    code: 1,
    says: ['.cniVersion=1 ', '1.0.0'].map((s) => s.trim()),
  },
  {
    title: 'CHECK before 0.4.0',
    command: 'CHECK',
    top: { cniVersion: '0.3.1' },
    cniVersion: '0.3.1',
    code: 1,
    says: ['.cniVersion="0.3.1"', 'CHECK', '0.4.0'],
  },
  {
    title: 'CHECK without a version, which is 0.1.0',
    command: 'CHECK',
    top: { cniVersion: undefined },
    cniVersion: '0.1.0',
    code: 1,
    says: ['.cniVersion', '0.1.0', 'CHECK'],
  },
  {
    title: 'STATUS before 1.1.0',
    command: 'STATUS',
    top: { cniVersion: '1.0.0' },
    cniVersion: '1.0.0',
    code: 1,
    says: ['.cniVersion="1.0.0"', 'STATUS', '1.1.0'],
  },
  {
    title: 'GC before 1.1.0',
    command: 'GC',
    top: { cniVersion: '0.4.0' },
    cniVersion: '0.4.0',
    code: 1,
    says: ['.cniVersion="0.4.0"', 'GC', '1.1.0'],
  },
  {
    title: 'a result without addresses in 0.2.0',
    top: { cniVersion: '0.2.0', ipam: undefined, isGateway: undefined },
    cniVersion: '0.2.0',
    code: 1,
    says: ['.cniVersion="0.2.0"', 'no valid IP addresses'],
  },
];

export const SHAPE: readonly BadInput[] = [...TYPES, ...UNKNOWN, ...CONTRADICTIONS, ...VERSIONS];
