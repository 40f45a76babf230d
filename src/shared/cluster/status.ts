import type { Following } from './follow.ts';
import type { Conflict, Site } from './site.ts';
import type { Upkeep } from './upkeep.ts';

export interface MemberReport {
  readonly id: string;
  readonly name: string;
  readonly underlay: readonly string[];
  /** `withdrawn`: silent, and its entries are not in the tables. */
  readonly state: 'present' | 'joining' | 'silent' | 'withdrawn';
}

export interface WatchReport {
  readonly prefix: string;
  /** Since when changes are late, in milliseconds since the epoch, and why. */
  readonly lost?: { readonly since: number; readonly why: string };
}

/** What `isthmus cluster status` prints. */
export interface ClusterReport {
  readonly host: { readonly id: string; readonly name: string };
  readonly isMember: boolean;
  /** Why it is not. */
  readonly obstacle?: string;
  readonly epoch?: string;
  readonly members: readonly MemberReport[];
  readonly watches: readonly WatchReport[];
  readonly networks: readonly {
    readonly id: string;
    readonly name: string;
    readonly mode: string;
    readonly entries: number;
    readonly carried: number;
  }[];
  /** Claims and releases that the store has not seen, or may not have seen. */
  readonly outbox: number;
  readonly conflicts: readonly Conflict[];
  /** Of encrypted networks; absent if this host uses none. */
  readonly keys?: {
    /** From 1. */
    readonly generation: number;
    /** When it began, in milliseconds since the epoch, by the clock of the host that began it. */
    readonly since: number;
  };
}

export function reportOf(site: Site, watches: readonly Following[], upkeep: Upkeep): ClusterReport {
  const { copy, self, epoch, obstacle } = site;
  const members = [...copy.hosts].map(([id, { name, underlay4, underlay6 }]): MemberReport => {
    const presence = copy.presences.get(id);
    const absent = upkeep.withdrawn.has(id) ? 'withdrawn' : 'silent';
    const state = presence === undefined ? absent : presence.isReady ? 'present' : 'joining';
    return { id, name, underlay: [underlay4 ?? [], underlay6 ?? []].flat(), state };
  });
  const networks = [...copy.tables()].map(([id, table]) => {
    const record = copy.networks.get(id);
    const { size, carried } = table;
    return { id, name: record?.name ?? '', mode: record?.mode ?? '', entries: size, carried };
  });
  const secrets = copy.secrets.get('');
  return {
    host: { id: self.id, name: self.name },
    isMember: epoch !== undefined,
    ...(epoch === undefined ? {} : { epoch }),
    ...(obstacle === undefined ? {} : { obstacle: obstacle.message }),
    members: members.sort((a, b) => (a.name < b.name ? -1 : 1)),
    watches: watches.map(({ prefix, lost }) => ({
      prefix,
      ...(lost === undefined
        ? {}
        : { lost: { since: Math.round(site.wall() - site.now() + lost.since), why: lost.error.message } }),
    })),
    networks,
    outbox: site.ledger.pending,
    conflicts: site.conflicts,
    ...(secrets === undefined ? {} : { keys: { generation: secrets.generation, since: secrets.at } }),
  };
}
