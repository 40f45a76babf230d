import type { Family } from '../model/addr.ts';
import type { PeerEntry, SealedEntry, UnderlayEntry } from '../model/overlay-entries.ts';
import type { Line } from './iptables-lines.ts';

/**
 * The destinations of datagrams that sockets of this host receive. An address of this host, a group and a broadcast count;
 * a datagram to another host is not ours: a pod may have a VXLAN of its own on this port. Of IPv6, UNICAST would include
 * the addresses of this host, and one rule cannot ask for both kinds.
 */
const RECEIVED: Readonly<Record<Family, readonly (readonly string[])[]>> = {
  4: [['!', '--dst-type', 'UNICAST']],
  6: [
    ['--dst-type', 'LOCAL,ANYCAST'],
    ['--dst-type', 'MULTICAST'],
  ],
};

/** Chain ISTHMUS-PEERS drops what is not from a peer, so no other traffic passes the rules of peers. */
export function underlayLines({ family, port }: UnderlayEntry): Line[] {
  const line = (chain: string, matches: readonly string[], ...target: readonly string[]): Line => {
    return { table: 'raw', chain, matches: [...toPort(port), ...matches], target: ['-j', ...target] };
  };
  const received = RECEIVED[family].flatMap((type) => {
    const matches = ['-m', 'addrtype', ...type];
    return [line('ISTHMUS-GUARD', matches, 'CT', '--notrack'), line('ISTHMUS-GUARD', matches, 'ISTHMUS-PEERS')];
  });
  const sent = [line('ISTHMUS-SENT', [], 'CT', '--notrack'), line('OUTPUT', [], 'ISTHMUS-SENT')];
  return [...received, line('ISTHMUS-PEERS', [], 'DROP'), ...sent];
}

/** Policies of the kernel drop the same; these also hold while another program has flushed them. */
export function sealedLines({ family, port }: SealedEntry): Line[] {
  const line = (chain: string, ...matches: readonly string[]): Line => {
    return { table: 'raw', chain, matches: [...toPort(port), ...matches], target: ['-j', 'DROP'] };
  };
  const clear = (direction: 'in' | 'out'): string[] => ['-m', 'policy', '--dir', direction, '--pol', 'none'];
  return [
    ...RECEIVED[family].map((type) => line('ISTHMUS-GUARD', '-m', 'addrtype', ...type, ...clear('in'))),
    line('ISTHMUS-SENT', ...clear('out')),
    { table: 'raw', chain: 'OUTPUT', matches: toPort(port), target: ['-j', 'ISTHMUS-SENT'] },
  ];
}

export function peerLine({ address, port }: PeerEntry): Line {
  const matches = ['-s', address, ...toPort(port)];
  return { table: 'raw', chain: 'ISTHMUS-PEERS', head: true, matches, target: ['-j', 'RETURN'] };
}

function toPort(port: number): string[] {
  return ['-p', 'udp', '-m', 'udp', '--dport', String(port)];
}
