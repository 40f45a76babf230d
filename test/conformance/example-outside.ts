import type { Lab, Pod } from './example-lab.ts';

/** Addresses of the uplink: the host's own, and those of the other end. */
export const UPLINK = {
  host: ['192.0.2.1', '2001:db8::1'],
  outside: ['192.0.2.2', '2001:db8::2'],
} as const;

/** A machine at the other end of the host's uplink, without routes to pods. Dispose deletes the uplink. */
export interface Outside extends Disposable {
  readonly pod: Pod;
  /** `address` is there, the host has a route to it, and it has one to `pods`: as another node of a cluster. */
  isNode(address: string, pods: string): void;
  /** Drops traffic to `address` from other sources than `sources`. */
  hearsOnly(address: string, ...sources: readonly string[]): void;
}

export function makeOutside(lab: Lab): Outside {
  const { host } = lab;
  const pod = lab.emptyPod();
  const name = pod.container.netns.replace('/run/netns/', '');
  host.run('ip', 'link', 'add', 'uplink0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  // Until duplicate address detection has ended, the kernel asks for no neighbour on behalf of what it forwards.
  host.run('sysctl', '-qw', 'net.ipv6.conf.uplink0.accept_dad=0');
  pod.run('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=0');
  host.run('ip', 'link', 'set', 'uplink0', 'up');
  for (const dev of ['lo', 'eth0']) pod.run('ip', 'link', 'set', dev, 'up');
  for (const address of UPLINK.host) host.run('ip', 'addr', 'add', ...withLength(address), 'dev', 'uplink0', 'nodad');
  for (const address of UPLINK.outside) pod.run('ip', 'addr', 'add', ...withLength(address), 'dev', 'eth0', 'nodad');
  pod.run('nft', 'add table inet outside; add chain inet outside in { type filter hook input priority 0; }');
  return {
    pod,
    isNode(address, pods) {
      const [ours, theirs] = address.includes(':')
        ? [UPLINK.host[1], UPLINK.outside[1]]
        : [UPLINK.host[0], UPLINK.outside[0]];
      pod.run('ip', 'addr', 'add', address, 'dev', 'lo', ...(address.includes(':') ? ['nodad'] : []));
      pod.run('ip', 'route', 'add', pods, 'via', ours);
      host.run('ip', 'route', 'add', address, 'via', theirs);
    },
    hearsOnly(address, ...sources) {
      const ip = address.includes(':') ? 'ip6' : 'ip';
      const rule = `${ip} daddr ${address} ${ip} saddr != { ${sources.join(', ')} } drop`;
      pod.run('nft', 'add', 'rule', 'inet', 'outside', 'in', rule);
    },
    [Symbol.dispose]: () => host.run('ip', 'link', 'delete', 'uplink0'),
  };
}

function withLength(address: string): [string] {
  return [`${address}/${address.includes(':') ? 64 : 24}`];
}
