import { formatAddr, parseAddr } from '../../../model/addr.ts';
import { attachmentDigest, networkTitle } from '../../../model/attachment.ts';
import { addressesOf, type Endpoint } from '../../../model/endpoint.ts';
import { contains, overlaps, type Prefix, parsePrefix } from '../../../model/prefix.ts';
import type { Facts, NetworkFacts } from '../facts.ts';
import type { Found } from '../finding.ts';
import type { Rule } from '../rule.ts';
import { titleOf } from './network.ts';

/** A pool with less than this part free is nearly full. */
const NEARLY = 0.9;

function prefixesOf({ subnets }: NetworkFacts): Prefix[] {
  return subnets.flatMap(({ subnet }) => parsePrefix(subnet) ?? []);
}

/** The devices by which a network's own addresses are reached: its bridge, its other devices, the veths of ptp. */
function devicesOf({ row }: NetworkFacts, { records }: Facts): ReadonlySet<string> {
  const owned = row.owned.flatMap((one) => (one.kind === 'link' ? [one.name] : []));
  const parts = records?.endpoints.filter(({ attachment }) => attachment.network === row.name) ?? [];
  const sides = parts.flatMap((part) =>
    'link' in part && part.link && 'hostIf' in part.link ? [part.link.hostIf] : [],
  );
  return new Set([row.device, ...owned, ...sides]);
}

export const ADDRESS_RULES: readonly Rule[] = [
  {
    name: 'subnet-overlaps',
    check: (facts) =>
      facts.networks.flatMap((of) => {
        const own = devicesOf(of, facts);
        const found = (what: string): Found => ({
          level: 'error',
          subject: networkTitle(of.row.name),
          what,
          why: 'The host sends what is for the containers to another device, or the other way round',
          cure: 'give the network another subnet, or remove the route (ip route del)',
          networks: [of.row.name],
        });
        return prefixesOf(of).flatMap((subnet) => [
          ...facts.view.routes.flatMap(({ dst, dev = '', table = MAIN }) => {
            const route = parsePrefix(dst);
            // A wider route is for the rest of its range: the network's own is chosen before it.
            const isTaken = route !== undefined && route.length >= subnet.length && overlaps(route, subnet);
            return isTaken && table === MAIN && !own.has(dev)
              ? [found(`its subnet ${textOf(subnet)} overlaps the route to ${dst} by ${dev}`)]
              : [];
          }),
          ...facts.view.addresses.flatMap(({ dev, address }) => {
            const found6 = parsePrefix(address);
            const isTaken = found6 !== undefined && contains(subnet, found6.addr) && !own.has(dev);
            return isTaken && found6.length === BITS[found6.addr.family]
              ? [found(`its subnet ${textOf(subnet)} has the address ${address} of the host's ${dev}`)]
              : [];
          }),
        ]);
      }),
  },
  {
    name: 'pool-nearly-full',
    check: (facts) =>
      facts.networks.flatMap(({ row, subnets }) =>
        subnets.flatMap(({ subnet, leased, size }): Found[] => {
          if (leased === undefined || size === 0 || leased < size * NEARLY) return [];
          const free = size - leased;
          return [
            {
              level: free === 0 ? 'error' : 'warning',
              subject: networkTitle(row.name),
              what: `${leased} of ${size} addresses of ${subnet} are in use`,
              why: free === 0 ? 'No container can join the network' : `After ${free} more, no container can join it`,
              cure: 'remove containers, or add a range to the configuration (ipam.ranges)',
              networks: [row.name],
            },
          ];
        }),
      ),
  },
  {
    name: 'lease-without-endpoint',
    check: ({ records, state }) => {
      if (records === undefined || state.behind) return [];
      const known = new Set(records.endpoints.map(({ attachment }) => attachmentDigest(attachment)));
      for (const { attachment } of records.brokenEndpoints) known.add(attachmentDigest(attachment));
      return records.leases.flatMap(({ scope, owner, address, requestedAt, source }): Found[] => {
        // dockerd asks for an address before there is an endpoint; an imported one belongs to the reference's plugins.
        if (requestedAt !== undefined || source === 'file' || known.has(attachmentDigest(owner))) return [];
        return [
          {
            level: 'warning',
            subject: `address ${formatAddr(address)}`,
            what: `it is leased to ${titleOf(owner)} of ${networkTitle(owner.network)}, which is not on record`,
            why: 'No other container can have it',
            cure: 'isthmus doctor --fix',
            repair: { kind: 'release', scope, address: formatAddr(address) },
            networks: [owner.network],
            containers: [owner.containerId],
          },
        ];
      });
    },
  },
  {
    name: 'address-twice',
    check: ({ records, networks, probes }) => [
      ...twiceOnRecord(records?.endpoints ?? [], networks),
      ...(probes?.twice ?? []).map(({ network, container, address, own, other }) => ({
        level: 'error' as const,
        subject: `address ${address}`,
        what: `${other} answers for it on ${networkTitle(network)}, besides its owner ${own}`,
        why: 'Packets for it reach one of the two, in turns',
        cure: `find the other one (bridge fdb show | grep ${other}) and change its address`,
        networks: [network],
        ...(container === undefined ? {} : { containers: [container] }),
      })),
    ],
  },
];

const MAIN = 254;
const BITS = { 4: 32, 6: 128 } as const;

function textOf({ addr, length }: Prefix): string {
  return `${formatAddr(addr)}/${length}`;
}

/** Networks of one bridge may have pools that overlap. */
function twiceOnRecord(parts: readonly Endpoint[], networks: readonly NetworkFacts[]): Found[] {
  const devices = new Map(networks.map(({ row }) => [row.name, row.device]));
  const owners = new Map<string, Endpoint[]>();
  for (const part of parts) {
    const device = devices.get(part.attachment.network) ?? '';
    if (part.role !== 'interface' || device === '') continue;
    for (const text of addressTexts(part)) {
      const key = `${device} ${text}`;
      owners.set(key, [...(owners.get(key) ?? []), part]);
    }
  }
  return [...owners].flatMap(([key, [first, second]]): Found[] => {
    if (first === undefined || second === undefined) return [];
    const [device = '', address = ''] = key.split(' ');
    return [
      {
        level: 'error',
        subject: `address ${address}`,
        what: `two containers on ${device} have it: ${titleOf(first.attachment)} and ${titleOf(second.attachment)}`,
        why: 'Packets for it reach one of the two, in turns',
        cure: 'give the networks of this bridge pools that do not overlap, and create one of the containers again',
        networks: [first.attachment.network, second.attachment.network],
        containers: [first.attachment.containerId, second.attachment.containerId],
      },
    ];
  });
}

function addressTexts(part: Endpoint): string[] {
  if (part.kind !== 'cni' && part.kind !== 'docker') return [];
  return addressesOf(part).flatMap((text) => {
    const addr = parseAddr(text.replace(/\/.*/, ''));
    return addr === undefined ? [] : [formatAddr(addr)];
  });
}
