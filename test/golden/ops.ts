import type { Op } from '../../src/shared/model/op.ts';

const mac = '0a:58:0a:09:00:02';

/** Every kind of Op with every option, in an order that a kernel can execute. */
export const EVERY_OP: readonly Op[] = [
  { op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge' } },
  { op: 'link.set', ns: 'host', name: 'br0', set: { mac: '02:00:00:00:00:01', mtu: 1500, up: true } },
  { op: 'addr.add', ns: 'host', dev: 'br0', address: '10.9.0.1/16' },
  { op: 'addr.add', ns: 'host', dev: 'br0', address: '10.10.0.1/31' },
  { op: 'addr.add', ns: 'host', dev: 'br0', address: 'fd00:9::1/64', noDad: true },
  {
    op: 'link.create',
    ns: 'host',
    name: 'veth0',
    link: { kind: 'veth', peer: { ns: 'sandbox', name: 'eth0', mac, mtu: 1400 } },
    mac: 'fe:00:00:00:00:02',
    mtu: 1400,
    master: 'br0',
    group: 7,
    alias: "web's pod 7",
    up: true,
  },
  { op: 'port.set', ns: 'host', name: 'veth0', set: { hairpin: true, isolated: true, learning: false } },
  { op: 'port.set', ns: 'host', name: 'veth0', set: { isolated: false, learning: true } },
  { op: 'sysctl.set', ns: 'host', key: 'net.ipv4.ip_forward', value: '1' },
  { op: 'sysctl.set', ns: 'sandbox', key: 'net/ipv4/conf/eth0/arp_notify', value: '1' },
  { op: 'sysctl.set', ns: 'sandbox', key: 'net/ipv6/conf/eth0/accept_dad', value: '0', optional: true },
  { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { up: true } },
  { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' },
  { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: 'fd00:9::2/64', noDad: true },
  { op: 'route.add', ns: 'sandbox', route: { dst: '0.0.0.0/0', gateway: '10.9.0.1' } },
  { op: 'route.add', ns: 'sandbox', route: { dst: '::/0', gateway: 'fd00:9::1', dev: 'eth0' } },
  {
    op: 'route.add',
    ns: 'sandbox',
    route: {
      dst: '10.50.0.0/16',
      gateway: '192.0.2.1',
      dev: 'eth0',
      source: '10.9.0.2',
      mtu: 1300,
      advmss: 1200,
      priority: 7,
      table: 1000,
      onlink: true,
    },
  },
  { op: 'route.add', ns: 'sandbox', route: { dst: '10.51.0.0/16', dev: 'eth0', scope: 'link' } },
  { op: 'neigh.add', ns: 'host', dev: 'br0', address: '10.9.0.2', mac },
  { op: 'link.create', ns: 'sandbox', name: 'mv0', link: { kind: 'macvlan', dev: 'eth0', mode: 'bridge' } },
  { op: 'link.create', ns: 'sandbox', name: 'ifb0', link: { kind: 'ifb' }, mtu: 1400 },
  { op: 'link.create', ns: 'sandbox', name: 'tap0', link: { kind: 'veth', peer: { ns: 'host', name: 'tap1' } } },
  { op: 'link.create', ns: 'host', name: 'pair0', link: { kind: 'veth', peer: { ns: 'host', name: 'pair1' } } },
  {
    op: 'link.create',
    ns: 'host',
    name: 'vx0',
    link: { kind: 'vxlan', id: 42, local: '10.9.0.1', learning: false, proxy: true },
  },
  {
    op: 'link.create',
    ns: 'host',
    name: 'vx1',
    link: { kind: 'vxlan', id: 43, port: 8472, group: 'ff05::7', dev: 'br0' },
  },
  { op: 'fdb.add', ns: 'host', dev: 'vx0', mac, dst: '10.0.0.2', flags: 'self' },
  { op: 'fdb.add', ns: 'host', dev: 'vx0', mac: '00:00:00:00:00:00', dst: '10.0.0.3', flags: 'self' },
  { op: 'fdb.add', ns: 'host', dev: 'veth0', mac: '0a:58:0a:09:00:08', flags: 'master' },
  { op: 'link.set', ns: 'sandbox', name: 'tap0', set: { allMulticast: true, txQueueLength: 7 } },
  { op: 'tbf.add', ns: 'host', dev: 'veth0', rate: 125_000, burst: 20_000, latency: 25 },
  { op: 'tbf.add', ns: 'sandbox', dev: 'ifb0', rate: 6_000_000_000, burst: 60_000_000, latency: 25 },
  { op: 'redirect.add', ns: 'sandbox', dev: 'eth0', to: 'ifb0' },
];

/** Ops that only a kernel with VLAN filtering bridges can execute. */
export const VLAN_OPS: readonly Op[] = [
  { op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge', vlanFiltering: true, defaultPvid: 2 } },
  { op: 'vlan.add', ns: 'host', name: 'veth0', vlan: { vid: 10, pvid: true, untagged: true } },
  { op: 'vlan.add', ns: 'host', name: 'veth0', vlan: { vid: 20, vidEnd: 30 } },
  { op: 'vlan.add', ns: 'host', name: 'br0', vlan: { vid: 10, self: true } },
  { op: 'vlan.delete', ns: 'host', name: 'veth0', vlan: { vid: 20, vidEnd: 30 } },
];

/** Reverts a part of EVERY_OP. */
export const DELETIONS: readonly Op[] = [
  { op: 'redirect.delete', ns: 'sandbox', dev: 'eth0', to: 'ifb0' },
  { op: 'tbf.delete', ns: 'host', dev: 'veth0', rate: 125_000, burst: 20_000, latency: 25 },
  { op: 'fdb.delete', ns: 'host', dev: 'vx0', mac: '00:00:00:00:00:00', dst: '10.0.0.3', flags: 'self' },
  { op: 'fdb.delete', ns: 'host', dev: 'veth0', mac: '0a:58:0a:09:00:08', flags: 'master' },
  { op: 'neigh.delete', ns: 'host', dev: 'br0', address: '10.9.0.2', mac },
  { op: 'route.delete', ns: 'sandbox', route: { dst: '::/0', gateway: 'fd00:9::1', dev: 'eth0' } },
  { op: 'addr.delete', ns: 'sandbox', dev: 'eth0', address: 'fd00:9::2/64' },
  { op: 'link.delete', ns: 'host', name: 'pair1', kind: 'veth' },
  { op: 'link.delete', ns: 'sandbox', name: 'tap0' },
  { op: 'link.set', ns: 'host', name: 'veth0', set: { master: null, promisc: true, group: 0, alias: 'x' } },
  { op: 'link.set', ns: 'host', name: 'veth0', set: { master: 'br0', promisc: false, up: false } },
];
