import { closeSync, openSync, writeFileSync } from 'node:fs';
import { address, neighbour } from '../../src/shared/netlink/address.ts';
import {
  AF_BRIDGE,
  NETLINK_ROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETQDISC,
  RTM_GETROUTE,
  RTM_GETTFILTER,
  TC_INGRESS_HANDLE,
} from '../../src/shared/netlink/constants.ts';
import { bridgeLink, link } from '../../src/shared/netlink/link.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { route } from '../../src/shared/netlink/route.ts';
import { NetlinkSocket, type Request } from '../../src/shared/netlink/socket.ts';
import { filter, qdisc } from '../../src/shared/netlink/tc.ts';
import { withNetns } from './netns.ts';

/*
 * Writes what this machine's kernel answers to dumps of a namespace with every kind of link that we use to
 * test/fixtures/netlink: `node test/support/capture-netlink.ts`, or only those that are named behind it. The payloads of
 * the messages, as hex.
 */

const SETUP = [
  'link set lo up',
  'link add br0 address 02:00:00:00:00:01 type bridge',
  'link add v0 address 02:00:00:00:00:02 type veth peer name v1 address 02:00:00:00:00:03',
  'link set v0 master br0 alias pod',
  'link property add dev v0 altname pod-1 altname pod-2',
  'link add vx0 type vxlan id 42 dstport 4789 local 10.9.0.1 nolearning proxy',
  'link add vx6 type vxlan id 43 dstport 4789 local fd00::1 group ff02::7 dev v1',
  'link add mv0 link v1 type macvlan mode bridge',
  'link add ifb0 type ifb',
  'link set br0 up',
  'link set v0 up',
  'link set v1 up group 7 mtu 1400',
  'addr add 10.9.0.1/16 brd + dev br0',
  'addr add 192.0.2.1 peer 192.0.2.2/32 dev br0',
  'addr add fd00:9::1/64 dev br0 nodad',
  'route add 10.20.0.0/16 via 10.9.0.2 mtu 1300 advmss 1200 metric 7 table 1000',
  'route add 10.21.0.0/16 nexthop via 10.9.0.2 dev br0 nexthop via 10.9.0.3 dev br0 weight 2',
  'route add 10.22.0.0/16 via 198.51.100.1 dev br0 onlink src 10.9.0.1',
  'route add blackhole 10.23.0.0/16',
  '-6 route add default via fd00:9::2 dev br0 metric 100',
  'neigh add 10.9.0.7 lladdr 0a:58:0a:09:00:07 dev br0 nud permanent',
  'neigh add fd00:9::7 lladdr 0a:58:0a:09:00:07 dev br0 nud permanent',
];
const FDB = [
  'fdb add 0a:58:0a:09:00:07 dev vx0 dst 10.0.0.2 self permanent',
  'fdb add 0a:58:0a:09:00:08 dev v0 master static',
];

const TC = [
  'qdisc add dev v0 root handle 4953: tbf rate 8mbit burst 20000 latency 25ms',
  'qdisc add dev ifb0 root handle 1: tbf rate 48gbit burst 60000 latency 25ms',
  'qdisc add dev v1 root handle 2: htb',
  'qdisc add dev v0 ingress',
  'filter add dev v0 parent ffff: protocol all pref 1 u32 match u32 0 0 action mirred egress redirect dev ifb0',
  'filter add dev v0 parent ffff: protocol ip pref 2 u32 match ip dport 80 0xffff action mirred egress mirror dev ifb0',
];

/** `tc` dumps the filters of one device. */
const filters = (index: number): Request => ({
  type: RTM_GETTFILTER,
  payload: filter.encode({ header: { index, parent: TC_INGRESS_HANDLE }, attrs: {} }),
});

const DUMPS: Readonly<Record<string, Request>> = {
  link: { type: RTM_GETLINK, payload: link.encode({ header: {}, attrs: {} }) },
  'bridge-link': { type: RTM_GETLINK, payload: bridgeLink.encode({ header: { family: AF_BRIDGE }, attrs: {} }) },
  address: { type: RTM_GETADDR, payload: address.encode({ header: {}, attrs: {} }) },
  route: { type: RTM_GETROUTE, payload: route.encode({ header: {}, attrs: {} }) },
  neighbour: { type: RTM_GETNEIGH, payload: neighbour.encode({ header: {}, attrs: {} }) },
  qdisc: { type: RTM_GETQDISC, payload: qdisc.encode({ header: {}, attrs: {} }) },
  forwarding: { type: RTM_GETNEIGH, payload: neighbour.encode({ header: { family: AF_BRIDGE }, attrs: {} }) },
};

withNetns(1, (ns) => {
  for (const line of SETUP) ns.ip(...line.split(' '));
  for (const line of FDB) ns.run('bridge', ...line.split(' '));
  for (const line of TC) ns.run('tc', ...line.split(' '));
  const v0 = Number(ns.run('cat', '/sys/class/net/v0/ifindex'));
  const wanted = process.argv.slice(2);
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const fd = openSync(ns.path, 'r');
  using socket = withinNetns(fd, home, () => new NetlinkSocket(NETLINK_ROUTE));
  for (const [name, request] of Object.entries({ ...DUMPS, filter: filters(v0) })) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const messages = socket.dump(request).map(({ payload }) => Buffer.from(payload).toString('hex'));
    const file = new URL(`../fixtures/netlink/${name}.json`, import.meta.url);
    writeFileSync(file, `${JSON.stringify(messages, null, 1)}\n`);
    console.log(`${name}: ${messages.length} messages`);
  }
  closeSync(fd);
  closeSync(home);
});
