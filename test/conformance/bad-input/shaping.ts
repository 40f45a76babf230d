import type { BadInput } from './case.ts';

/** The input of a chained plugin. */
const prevResult = {
  cniVersion: '1.1.0',
  interfaces: [{ name: 'veth0' }, { name: 'eth0', sandbox: '/run/netns/pod' }],
  ips: [{ address: '10.88.0.2/24', interface: 1 }],
};
const LIMIT = { ingressRate: 1000, ingressBurst: 1000 };

/** Limits under the plugin's own name, chained, and by the runtime's capability. */
function limits(title: string, keys: Readonly<Record<string, unknown>>, key: string, rule: string): BadInput[] {
  const value = keys[key];
  const says = (path: string): string[] => [`${path}${key}=${JSON.stringify(value)}`, rule];
  const runtimeConfig = { bandwidth: keys };
  const path = '.runtimeConfig.bandwidth.';
  return [
    { title: `bandwidth: ${title}`, name: 'bandwidth', code: 7, says: says('.'), top: { prevResult, ...keys } },
    {
      title: `bandwidth by the runtime: ${title}`,
      name: 'bandwidth',
      code: 7,
      says: says(path),
      top: { prevResult, runtimeConfig },
    },
    { title: `isthmus by the runtime: ${title}`, code: 7, says: says(path), top: { runtimeConfig } },
    { title: `isthmus: ${title}`, code: 7, says: [`.${key}=${JSON.stringify(value)}`], top: keys },
  ];
}

function tuning(title: string, top: Readonly<Record<string, unknown>>, says: readonly string[]): BadInput {
  return { title: `tuning: ${title}`, name: 'tuning', code: 7, says, top: { prevResult, ...top } };
}

/** `bandwidth` and `tuning`. */
export const SHAPING: readonly BadInput[] = [
  ...limits('a rate without burst', { ingressRate: 1000 }, 'ingressRate', 'no ingressBurst'),
  ...limits('a burst without rate', { egressBurst: 1000 }, 'egressBurst', 'no egressRate'),
  ...limits('a burst of 4 GiB', { ...LIMIT, ingressBurst: 34_359_738_368 }, 'ingressBurst', '4 GiB'),
  ...limits('a negative rate', { ...LIMIT, ingressRate: -1 }, 'ingressRate', 'whole number'),
  ...limits('a rate as text', { ...LIMIT, ingressRate: '1M' }, 'ingressRate', 'whole number'),
  ...limits('half a bit', { ...LIMIT, ingressBurst: 1.5 }, 'ingressBurst', 'whole number'),
  {
    title: 'isthmus: a misspelt limit',
    code: 7,
    says: ['.ingressrat=1000', 'no such key'],
    hint: 'ingressRate',
    top: { ingressrat: 1000 },
  },
  {
    title: 'isthmus: limits of a driver that makes no interface',
    code: 7,
    says: ['.ingressRate=1000', 'driver "host"'],
    top: { driver: 'host', bridge: undefined, isGateway: undefined, ipam: undefined, ...LIMIT },
  },
  {
    title: 'bandwidth: limits that are a list',
    name: 'bandwidth',
    code: 7,
    says: ['.runtimeConfig.bandwidth=[1000]', 'not an object'],
    top: { prevResult, runtimeConfig: { bandwidth: [1000] } },
  },
  { title: 'bandwidth: alone', name: 'bandwidth', code: 7, says: ['.prevResult', 'chained'], top: LIMIT },
  { title: 'tuning: alone', name: 'tuning', code: 7, says: ['.prevResult', 'chained'], top: { mtu: 1400 } },
  {
    title: 'bandwidth: a result that is none',
    name: 'bandwidth',
    code: 7,
    says: ['.prevResult.ips[0].address="x"'],
    top: { ...LIMIT, prevResult: { ips: [{ address: 'x' }] } },
  },
  {
    title: 'bandwidth: an interface that is not there',
    name: 'bandwidth',
    code: 4,
    says: ['CNI_IFNAME=eth0'],
    top: { prevResult, ...LIMIT },
  },
  {
    title: 'tuning: an interface that is not there',
    name: 'tuning',
    code: 4,
    says: ['CNI_IFNAME=eth0'],
    top: { prevResult, mtu: 1400 },
  },
  tuning('a sysctl outside net', { sysctl: { 'kernel.hostname': 'x' } }, ['.sysctl["kernel.hostname"]="x"', 'network']),
  tuning('a way out of net', { sysctl: { 'net/../kernel/hostname': 'x' } }, ['.sysctl["net/../kernel/hostname"]="x"']),
  tuning('a sysctl as a number', { sysctl: { 'net.core.somaxconn': 500 } }, ['"net.core.somaxconn"]=500', 'string']),
  tuning('sysctls as a list', { sysctl: ['net.core.somaxconn'] }, ['.sysctl=', 'not an object']),
  tuning('args beside them', { args: { cni: { sysctl: { 'vm.x': '1' } } } }, ['.args.cni.sysctl["vm.x"]="1"']),
  tuning('an MTU as text', { mtu: '1400' }, ['.mtu="1400"']),
  tuning('an MTU that is too small', { mtu: 60 }, ['.mtu=60', '68']),
  tuning('a flag as text', { promisc: 'true' }, ['.promisc="true"', 'boolean']),
  tuning('a MAC that is none', { mac: 'x' }, ['.mac="x"', 'MAC']),
  tuning('a MAC of a group', { runtimeConfig: { mac: '01:00:5e:00:00:01' } }, ['.runtimeConfig.mac=', 'group']),
  {
    ...tuning('a MAC of the environment that is none', {}, ['CNI_ARGS MAC="x"', 'MAC']),
    args: 'MAC=x',
    code: 4,
  },
];
