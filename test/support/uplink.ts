import type { TestHost } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';

/** A neighbour on its own link to the host, `up0`. It has no route to containers, and nobody forwards for it. */
export interface Uplink extends Disposable {
  readonly agent: Agent;
  /** The neighbour's addresses, and the host's on the link. */
  readonly address: Readonly<Record<4 | 6, string>>;
  readonly host: Readonly<Record<4 | 6, string>>;
}

const HOST = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
const OUTSIDE = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;

/**
 * The host has an uplink `up0` to the namespace `outside`, in which an agent can serve and probe. Its addresses are in
 * use by then: the kernel leaves that to a queue which all namespaces share, and which may be seconds behind.
 */
export function addUplink(host: TestHost): Uplink {
  host.run('sh', '-c', SCRIPT);
  const agent = startAgent('outside', { path: host.outside('/run/netns/outside') });
  return {
    agent,
    address: OUTSIDE,
    host: HOST,
    [Symbol.dispose]: () => {
      agent[Symbol.dispose]();
      host.run('sh', '-c', 'ip link delete up0; ip netns delete outside');
    },
  };
}

const SCRIPT = `set -e
  ip netns add outside
  ip link add up0 type veth peer name eth0 netns outside
  sysctl -qw net.ipv6.conf.up0.accept_dad=0
  ip netns exec outside sysctl -qw net.ipv6.conf.eth0.accept_dad=0
  ip addr add ${HOST[4]}/24 dev up0
  ip addr add ${HOST[6]}/64 dev up0 nodad
  ip link set up0 up
  ip -n outside addr add ${OUTSIDE[4]}/24 dev eth0
  ip -n outside addr add ${OUTSIDE[6]}/64 dev eth0 nodad
  ip -n outside link set lo up
  ip -n outside link set eth0 up
  until ip -6 route show table local | grep -q '^local ${HOST[6]} '; do sleep 0.02; done
  until ip -n outside -6 route show table local | grep -q '^local ${OUTSIDE[6]} '; do sleep 0.02; done`;
