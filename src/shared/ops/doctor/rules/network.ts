import { renderOp } from '../../../host/render.ts';
import { networkTitle } from '../../../model/attachment.ts';
import type { FirewallEntry } from '../../../model/firewall.ts';
import { given } from '../../../model/given.ts';
import type { Op } from '../../../model/op.ts';
import type { Facts, NetworkFacts } from '../facts.ts';
import type { Found } from '../finding.ts';
import type { Rule } from '../rule.ts';

const RELOAD = 'isthmus reload';

/** What one of the steps that a network lacks is about. */
type Cause = 'forwarding' | 'device' | 'up' | 'address' | 'other';

function causeOf(op: Op, { row }: NetworkFacts): Cause {
  switch (op.op) {
    case 'sysctl.set':
      return /^net\/ipv4\/ip_forward$|\/forwarding$/.test(op.key) ? 'forwarding' : 'other';
    case 'link.create':
      return 'device';
    case 'link.set':
      return op.name === row.device && op.set.up === true && Object.keys(op.set).length === 1 ? 'up' : 'other';
    case 'addr.add':
      return 'address';
    default:
      return 'other';
  }
}

/** The steps of one kind that each network lacks. A network without its device lacks everything else, too. */
function lacking(facts: Facts, cause: Cause): { readonly of: NetworkFacts; readonly ops: readonly Op[] }[] {
  return facts.networks.flatMap((of) => {
    const isGone = of.lack.ops.some((op) => causeOf(op, of) === 'device');
    if (isGone && cause !== 'device' && cause !== 'forwarding') return [];
    const ops = of.lack.ops.filter((op) => causeOf(op, of) === cause);
    return ops.length === 0 ? [] : [{ of, ops }];
  });
}

function about({ row }: NetworkFacts): Pick<Found, 'subject' | 'networks'> {
  return { subject: networkTitle(row.name), networks: [row.name] };
}

function commandOf(ops: readonly Op[]): string {
  return ops.map((op) => renderOp(op, { sandbox: '' })).join('; ');
}

export const NETWORK_RULES: readonly Rule[] = [
  {
    name: 'forwarding-off',
    check: (facts) => {
      const found = lacking(facts, 'forwarding');
      const byKey = Map.groupBy(
        found.flatMap(({ of, ops }) => ops.flatMap((op) => (op.op === 'sysctl.set' ? [{ op, of }] : []))),
        ({ op }) => `${op.key}=${op.value}`,
      );
      return [...byKey].map(([setting, all]) => ({
        level: 'error',
        subject: `sysctl ${all[0]?.op.key}`,
        what: `the host does not forward packets of ${all.map(({ of }) => networkTitle(of.row.name)).join(', ')}`,
        why: 'Containers reach neither other networks nor the outside, and published ports lead nowhere',
        cure: `sysctl -w ${setting}; look in /etc/sysctl.d for what switches it off`,
        repair: { kind: 'reload' },
        networks: all.map(({ of }) => of.row.name),
      }));
    },
  },
  {
    name: 'bridge-missing',
    check: (facts) =>
      lacking(facts, 'device').map(({ of, ops }) => ({
        ...about(of),
        level: 'error',
        what: `its device ${ops.flatMap((op) => ('name' in op ? [op.name] : [])).join(', ')} is gone`,
        why: 'Its containers are cut off from each other and from the host',
        cure: RELOAD,
        repair: { kind: 'reload' },
      })),
  },
  {
    name: 'bridge-down',
    check: (facts) =>
      lacking(facts, 'up').map(({ of }) => ({
        ...about(of),
        level: 'error',
        what: `its device ${of.row.device} is down`,
        why: 'Its containers are cut off from each other and from the host',
        cure: `ip link set dev ${of.row.device} up`,
        repair: { kind: 'reload' },
      })),
  },
  {
    name: 'bridge-without-address',
    check: (facts) =>
      lacking(facts, 'address').map(({ of, ops }) => ({
        ...about(of),
        level: 'error',
        what: `its device ${of.row.device} lacks ${ops.flatMap((op) => (op.op === 'addr.add' ? [op.address] : [])).join(', ')}`,
        why: 'This is the gateway of its containers: they reach nothing outside of the network',
        cure: commandOf(ops),
        repair: { kind: 'reload' },
      })),
  },
  {
    name: 'setting-missing',
    check: (facts) =>
      lacking(facts, 'other').map(({ of, ops }) => ({
        ...about(of),
        level: 'error',
        what: `the host lacks ${ops.length === 1 ? 'a setting' : `${ops.length} settings`} that the network needs`,
        why: 'Part of its traffic is lost',
        cure: commandOf(ops),
        repair: { kind: 'reload' },
      })),
  },
  {
    name: 'rules-missing',
    check: (facts) => [
      ...facts.networks.flatMap((of) => {
        // What others drop is a finding of its own.
        const isTold = (entry: FirewallEntry): boolean =>
          entry.kind === 'admit' && facts.drops.some(({ device }) => device === entry.device);
        const entries = of.lack.entries.flatMap((one) => one.entries.filter((entry) => !isTold(entry)));
        return entries.length === 0 ? [] : [{ ...about(of), ...missing(entries, LOST_OF_NETWORK) }];
      }),
      ...facts.lacks
        .filter(({ entries }) => entries.length > 0)
        .map(({ part, entries }) => ({
          ...missing(entries, 'Its published ports, or the guards of its port, do not work'),
          subject: titleOf(part.attachment),
          networks: [part.attachment.network],
          containers: [part.attachment.containerId],
        })),
    ],
  },
  {
    name: 'network-unusable',
    check: (facts) =>
      facts.networks.flatMap((of) => {
        const { obstacle } = of;
        if (obstacle === undefined) return [];
        const cure = obstacle.hint === '' ? `isthmus network inspect ${of.row.name}` : obstacle.hint;
        return [
          {
            ...about(of),
            level: 'error',
            what: `${obstacle.subject}: ${obstacle.what}`,
            why: 'No container can join the network, and what it lacks cannot be restored',
            cure,
          },
        ];
      }),
  },
  {
    name: 'foreign-filter-drops',
    check: (facts) => dropped(facts, 'another program'),
  },
  { name: 'firewalld-drops', check: (facts) => dropped(facts, 'firewalld') },
  { name: 'ufw-drops', check: (facts) => dropped(facts, 'ufw') },
  { name: 'docker-drops', check: (facts) => dropped(facts, 'Docker') },
];

function dropped(facts: Facts, wanted: string): Found[] {
  return facts.drops
    .filter(({ owner }) => owner === wanted)
    .map(({ network, device, owner, place, packets, cure, reloads }) => ({
      level: 'error',
      subject: networkTitle(network),
      what: `${owner === 'another program' ? `a chain of ${owner}` : owner} drops ${packets} (${device}): ${place}`,
      why: 'A packet has to pass the chains of all programs: our rules do not help against a drop of another one',
      cure,
      ...given({ repair: reloads ? ({ kind: 'reload' } as const) : undefined }),
      networks: [network],
    }));
}

const LOST_OF_NETWORK = 'Masquerading, isolation or access to the outside does not work';

function missing(entries: readonly FirewallEntry[], why: string): Omit<Found, 'subject'> {
  return {
    level: 'error',
    what: `${count(entries.length, 'entry', 'entries')} of the packet filter ${entries.length === 1 ? 'is' : 'are'} missing: ${kinds(entries)}`,
    why: `${why}; another program may have flushed the rules`,
    cure: RELOAD,
    repair: { kind: 'reload' },
  };
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

function kinds(entries: readonly { readonly kind: string }[]): string {
  return [...new Set(entries.map(({ kind }) => kind))].join(', ');
}

/** Names a container as verbs take it. */
export function titleOf({ containerId, ifName, camp }: { containerId: string; ifName: string; camp: string }): string {
  const id = /^[0-9a-f]{64}$/.test(containerId) ? containerId.slice(0, 12) : containerId;
  return camp === 'cnm' ? `Docker endpoint ${id}` : `container ${id} ${ifName}`;
}
