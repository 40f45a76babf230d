import type { CniHost } from '../support/cni-host.ts';

/** A list whose ADD and whose script are to leave the same state. */
export interface ExplainCase {
  readonly title: string;
  readonly plugins: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[];
  /** Options of `isthmus explain`, beside the container's. */
  readonly options?: readonly string[];
  /** What the runtime tells the plugins, as `options` do. */
  readonly offers?: Readonly<Record<string, unknown>>;
  /** CNI_ARGS. */
  readonly args?: string;
  /** Makes what the host has before. */
  readonly prepare?: (host: CniHost) => void;
  /** The kind of link that the kernel needs, and the option that has it. */
  readonly needs?: readonly [kind: string, option: string];
}

const V4 = [{ subnet: '10.9.0.0/24' }];
const V6 = [{ subnet: 'fd00:9::/64' }];
const DUAL = { ranges: [V4, V6], routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] };
const BRIDGE = { type: 'isthmus', bridge: 'isth0', isGateway: true, ipam: DUAL } as const;
const LOCAL = { ...DUAL, type: 'host-local' };

/** An interface that drivers take for their parent, with the route that leads out. */
export function makeUplink({ ns }: CniHost): void {
  const [own, far] = ['02:00:5e:10:00:01', '02:00:5e:10:00:02'];
  const peer = ['peer', 'name', 'far0', 'address', far, 'mtu', '1400'];
  ns.ip('link', 'add', 'eth0', 'address', own, 'mtu', '1400', 'type', 'veth', ...peer);
  for (const dev of ['eth0', 'far0']) ns.ip('link', 'set', dev, 'up');
  ns.ip('addr', 'add', '192.0.2.2/24', 'dev', 'eth0');
  ns.ip('route', 'add', 'default', 'via', '192.0.2.1');
}

const PORTS = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '127.0.0.1' },
];
const PUBLISH = ['-p', '8080:80', '-p', '127.0.0.1:53:5353/udp'];
const CAPABLE = { capabilities: { portMappings: true } };
const LIMITS = { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 4_000_000, egressBurst: 400_000 };

export const CASES: readonly ExplainCase[] = [
  { title: 'a gateway bridge of both families', plugins: [BRIDGE] },
  { title: 'a bridge beside an uplink of a smaller MTU', plugins: [BRIDGE], prepare: makeUplink },
  {
    title: 'masquerade, ports and limits',
    plugins: [{ ...BRIDGE, ipMasq: true, hairpinMode: true, ...LIMITS, ...CAPABLE }],
    options: PUBLISH,
    offers: { portMappings: PORTS },
  },
  {
    title: 'a port with conditions',
    plugins: [{ ...BRIDGE, conditionsV4: ['ip saddr 192.0.2.0/24'], ...CAPABLE }],
    options: ['-p', '8080:80'],
    offers: { portMappings: PORTS.slice(0, 1) },
  },
  {
    title: 'an internal network with isolated ports',
    plugins: [{ ...BRIDGE, internal: true, portIsolation: true }],
  },
  {
    title: 'a MAC of its own, and the spoof guard',
    plugins: [{ ...BRIDGE, macspoofchk: true }],
    args: 'MAC=02:00:5e:10:00:07',
  },
  {
    title: 'a bridge that is there',
    plugins: [{ ...BRIDGE, spoofGuard: false }],
    prepare: ({ ns }) => void ns.ip('link', 'add', 'isth0', 'address', '02:00:5e:10:00:03', 'type', 'bridge'),
  },
  {
    title: 'the drop-in names of a podman list',
    plugins: [
      { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: true, ipam: LOCAL },
      { type: 'portmap', ...CAPABLE },
      { type: 'firewall' },
      { type: 'tuning', mtu: 1380, mac: '02:00:5e:10:00:08', sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } },
      { type: 'bandwidth', ...LIMITS },
    ],
    options: PUBLISH,
    offers: { portMappings: PORTS },
  },
  { title: 'ptp with masquerade', plugins: [{ type: 'isthmus', driver: 'ptp', ipMasq: true, ipam: DUAL }] },
  { title: 'ptp under its own name', plugins: [{ type: 'ptp', ipMasq: true, ipam: LOCAL }] },
  {
    title: 'macvlan',
    plugins: [{ type: 'macvlan', master: 'eth0', mode: 'private', ipam: LOCAL }],
    prepare: makeUplink,
    needs: ['macvlan', 'CONFIG_MACVLAN'],
  },
  {
    title: 'ipvlan',
    plugins: [{ type: 'ipvlan', master: 'eth0', ipam: LOCAL }],
    prepare: makeUplink,
    needs: ['ipvlan', 'CONFIG_IPVLAN'],
  },
  {
    title: 'vlan',
    plugins: [{ type: 'vlan', master: 'eth0', vlanId: 100, ipam: LOCAL }],
    prepare: makeUplink,
    needs: ['vlan', 'CONFIG_VLAN_8021Q'],
  },
  { title: 'dummy', plugins: [{ type: 'dummy', ipam: LOCAL }], needs: ['dummy', 'CONFIG_DUMMY'] },
  {
    title: 'tap',
    plugins: [{ type: 'tap', multiQueue: true, owner: 1000, ipam: { type: 'host-local', subnet: '10.9.0.0/24' } }],
  },
  {
    title: 'host-device',
    plugins: [{ type: 'host-device', device: 'eth0', ipam: LOCAL }],
    prepare: makeUplink,
  },
  { title: 'source based routing', plugins: [{ type: 'bridge', bridge: 'cni0', ipam: LOCAL }, { type: 'sbr' }] },
  {
    title: 'a VRF',
    plugins: [
      { type: 'bridge', bridge: 'cni0', ipam: LOCAL },
      { type: 'vrf', vrfname: 'blue' },
    ],
    needs: ['vrf', 'CONFIG_NET_VRF'],
  },
  {
    title: 'iptables',
    plugins: [{ ...BRIDGE, ipMasq: true, firewall: { backend: 'iptables' }, ...CAPABLE }],
    options: PUBLISH,
    offers: { portMappings: PORTS },
  },
];
