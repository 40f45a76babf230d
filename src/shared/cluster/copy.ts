import type { Logger } from '../log/log.ts';
import { given } from '../model/given.ts';
import type { Entry } from '../store/cluster/cluster-store.ts';
import {
  addressesOf,
  HOSTS,
  NETWORKS,
  PRESENCES,
  parseAddressHex,
  parseRangeHex,
  parseTableKey,
  rangesOf,
  SECRETS_KEY,
} from './keys.ts';
import { type Before, Mirror } from './mirror.ts';
import { parseSecrets, type Secrets } from './secrets.ts';
import {
  excerpt,
  type HostRecord,
  type NetworkMode,
  type NetworkRecord,
  type Presence,
  parseAddress,
  parseHolder,
  parseHost,
  parseNetwork,
  parsePresence,
} from './values.ts';

export type Versioned<T> = T & {
  /** `Entry.version`; 0 for what an earlier process kept. */
  readonly revision: bigint;
};

/** An address or a range that a host has. There may be thousands, so it has only what the kernel's entries need. */
export interface TableEntry {
  readonly host: string;
  /** Empty for a range. */
  readonly mac: string;
  readonly endpoint: string;
}

export type Table = Mirror<TableEntry>;

/** What entries of a table were before they changed. */
export type TableBefore = Before<TableEntry>;

/** Without `before`, any entry may have changed. */
export type CopyChange =
  | { readonly of: 'hosts'; readonly before?: Before<HostRecord> }
  | { readonly of: 'networks'; readonly before?: Before<NetworkRecord> }
  | { readonly of: 'secrets' }
  | { readonly of: 'table'; readonly network: string; readonly before?: TableBefore };

export interface CopyParts {
  readonly log: Logger;
  /** Called after each change; not of presences. */
  readonly changed: (change: CopyChange) => void;
  /** Called when the store has lost its data. */
  readonly reset: (epoch: string) => void;
  /** Called for each entry of a table that this host owns. */
  readonly own: (key: string, text: string) => void;
  readonly host: string;
  /** The epoch in which this host commits. */
  readonly joined: () => string | undefined;
}

/** What this host knows of the cluster. Readers are synchronous. */
export class Copy {
  readonly hosts: Mirror<Versioned<HostRecord>>;
  readonly presences: Mirror<Versioned<Presence>>;
  readonly networks: Mirror<Versioned<NetworkRecord>>;
  /** One entry, with an empty name. */
  readonly secrets: Mirror<Versioned<Secrets>>;
  readonly #parts: CopyParts;
  readonly #tables = new Map<string, Table>();
  /** One string for each host's id, which all its entries share: saves memory. */
  readonly #ids = new Map<string, string>();
  readonly #reported = new Set<string>();
  /** Of each network the last record, also of one that has gone without a deletion: each of those begins with `going`. */
  readonly #records = new Map<string, NetworkRecord>();

  constructor(parts: CopyParts) {
    this.#parts = parts;
    const { changed } = parts;
    this.hosts = this.#mirror(HOSTS, versioned(parseHost), (before) => changed({ of: 'hosts', ...given({ before }) }));
    this.presences = this.#mirror(PRESENCES, versioned(parsePresence), () => {}, { carries: false });
    const parse = versioned(parseNetwork);
    const noted: Mirrored<Versioned<NetworkRecord>> = (id, text, version) => {
      const record = parse(id, text, version);
      if (record !== undefined) this.#records.set(id, record);
      return record;
    };
    this.networks = this.#mirror(NETWORKS, noted, (before) => {
      for (const [id, { state }] of this.#records)
        if (state === 'going' && !this.networks.has(id)) this.#records.delete(id);
      changed({ of: 'networks', ...given({ before }) });
    });
    this.secrets = this.#mirror(SECRETS_KEY, versioned(parseSecrets), () => changed({ of: 'secrets' }), {
      isSecret: true,
    });
  }

  /** Addresses of a `shared` network, ranges of a `per-host` one; created at the first call. */
  table(network: string, mode: NetworkMode): Table {
    const prefix = mode === 'shared' ? addressesOf(network) : rangesOf(network);
    const found = this.#tables.get(network);
    if (found !== undefined) return found;
    const parse = mode === 'shared' ? this.#address(prefix) : this.#range(prefix);
    const table = this.#mirror(prefix, parse, (before) =>
      this.#parts.changed({ of: 'table', network, ...given({ before }) }),
    );
    this.#tables.set(network, table);
    return table;
  }

  tableOf(network: string): Table | undefined {
    return this.#tables.get(network);
  }

  tables(): ReadonlyMap<string, Table> {
    return this.#tables;
  }

  closeTable(network: string): void {
    this.#tables.delete(network);
  }

  /** The last valid record of a network, even if its key has been deleted or overwritten in the store. */
  lastRecord(network: string): NetworkRecord | undefined {
    return this.networks.get(network) ?? this.#records.get(network);
  }

  networkNamed(name: string): readonly [id: string, record: Versioned<NetworkRecord>] | undefined {
    for (const [id, record] of this.networks) if (record.name === name) return [id, record];
    return undefined;
  }

  /** The name of a host, for people; its id if it is unknown. */
  hostName(host: string): string {
    return this.hosts.get(host)?.name ?? `host ${host}`;
  }

  /** Adds the entries that a refused commit found. */
  learn(found: readonly Entry[]): void {
    for (const { key, value, version } of found) {
      const network = parseTableKey(key)?.network;
      const mirror = network === undefined ? this.#mirrorOf(key) : this.#tables.get(network);
      if (mirror !== undefined && key.startsWith(mirror.prefix))
        mirror.learn(key, value, version, this.#parts.joined());
    }
  }

  #mirrorOf(key: string): Pick<Mirror<unknown>, 'prefix' | 'learn'> | undefined {
    return [this.hosts, this.presences, this.networks, this.secrets].find(({ prefix }) => key.startsWith(prefix));
  }

  #mirror<T>(
    prefix: string,
    parse: Mirrored<T>,
    changed: (before?: Before<T>) => void,
    { carries = true, isSecret = false }: { readonly carries?: boolean; readonly isSecret?: boolean } = {},
  ): Mirror<T> {
    const foreign = (key: string, text: string): void => {
      if (this.#reported.has(key)) return;
      this.#reported.add(key);
      this.#parts.log.warn('cluster entry ignored', { key, value: isSecret ? '<key>' : excerpt(text) });
    };
    return new Mirror({ prefix, parse, foreign, carries, changed, reset: this.#parts.reset });
  }

  #address(prefix: string): Mirrored<TableEntry> {
    return (rest, text) => {
      const record = parseAddressHex(rest) && parseAddress(text);
      if (record === undefined) return undefined;
      const { host, mac, endpoint } = record;
      if (host === this.#parts.host) this.#parts.own(prefix + rest, text);
      return { host: this.#idOf(host), mac, endpoint };
    };
  }

  #range(prefix: string): Mirrored<TableEntry> {
    return (rest, text) => {
      const record = parseRangeHex(rest) && parseHolder(text);
      if (record === undefined) return undefined;
      if (record.host === this.#parts.host) this.#parts.own(prefix + rest, text);
      return { host: this.#idOf(record.host), mac: '', endpoint: '' };
    };
  }

  #idOf(host: string): string {
    const found = this.#ids.get(host);
    if (found === undefined) this.#ids.set(host, host);
    return found ?? host;
  }
}

type Mirrored<T> = (rest: string, text: string, version: bigint) => T | undefined;

function versioned<T extends object>(parse: (text: string) => T | undefined): Mirrored<Versioned<T>> {
  return (_rest, text, version) => {
    const value = parse(text);
    return value && { ...value, revision: version };
  };
}
