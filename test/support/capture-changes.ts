import { closeSync, openSync, writeFileSync } from 'node:fs';
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_NETCONF,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_LINK,
} from '../../src/shared/netlink/constants.ts';
import { listenTo } from '../../src/shared/netlink/listener.ts';
import type { Message } from '../../src/shared/netlink/message.ts';
import { NFNLGRP_NFTABLES } from '../../src/shared/netlink/netfilter.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { withNetns } from './netns.ts';

/*
 * Writes what this machine's kernel tells of a few changes to test/fixtures/netlink/changes.json:
 * `node test/support/capture-changes.ts`. Types and payloads (as hex) of the messages of multicast groups, those of
 * rtnetlink first.
 */

const SETUP = [
  'ip link add br0 type bridge',
  'ip link set br0 up',
  'ip addr add 10.9.0.1/16 dev br0',
  'ip link add v0 type veth peer name v1',
  'ip link set v0 up alias isthmus master br0',
  'sysctl -q net.ipv4.ip_forward=1',
  'nft add table inet isthmus',
  "nft 'add set inet isthmus open { type ifname; }'",
  `nft 'add element inet isthmus open { "a" }'`,
  'iptables-nft -A FORWARD -i br0 -m comment --comment isthmus -j ACCEPT',
];
const CHANGES = [
  'ip link set v0 nomaster',
  'ip addr del 10.9.0.1/16 dev br0',
  'sysctl -q net.ipv4.ip_forward=0',
  'ip link set br0 down',
  'ip link del br0',
  `nft 'delete element inet isthmus open { "a" }'`,
  'iptables-nft -F FORWARD',
  'iptables-nft -P FORWARD DROP',
  'nft delete table inet isthmus',
];

await withNetns(1, async (ns) => {
  ns.run('sh', '-ec', SETUP.join('\n'));
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const fd = openSync(ns.path, 'r');
  const heard: Message[][] = [[], []];
  const listen = (index: number, protocol: number, groups: readonly number[]): Disposable =>
    withinNetns(fd, home, () =>
      listenTo({ protocol, groups, messages: (messages) => void heard[index]?.push(...messages), lost: () => {} }),
    );
  const route = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_NETCONF];
  using _route = listen(0, NETLINK_ROUTE, route);
  using _nft = listen(1, NETLINK_NETFILTER, [NFNLGRP_NFTABLES]);
  ns.run('sh', '-ec', CHANGES.join('\n'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const messages = heard.flat().map(({ type, payload }) => [type, Buffer.from(payload).toString('hex')]);
  const file = new URL('../fixtures/netlink/changes.json', import.meta.url);
  writeFileSync(file, `${JSON.stringify(messages, null, 1)}\n`);
  console.log(`${messages.length} messages`);
  closeSync(fd);
  closeSync(home);
});
