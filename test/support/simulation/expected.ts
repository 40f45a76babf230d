import { deviceMac } from '../../../src/shared/cluster/remote.ts';
import { type Addr, formatAddr } from '../../../src/shared/model/addr.ts';
import type { SimulatedHost } from './simulated-host.ts';

interface Json {
  readonly [key: string]: unknown;
}

/** Everything below the cluster's directory, as text. */
export type Keys = ReadonlyMap<string, string>;

/** The tables that the host should have of each of its networks: told by what the store says, and by nothing of ours. */
export class Expected {
  readonly #hosts = new Map<string, Json>();
  readonly #networks = new Map<string, Json>();
  /** Keys below `a/<network>/` and `r/<network>/`, by network. */
  readonly #tables = new Map<string, (readonly [rest: string, value: Json])[]>();

  constructor(keys: Keys) {
    for (const [key, text] of keys) {
      const [kind = '', id = '', rest = ''] = key.split('/');
      if (kind === 'host') this.#hosts.set(id, JSON.parse(text));
      if (kind === 'net') this.#networks.set(id, JSON.parse(text));
      if (kind !== 'a' && kind !== 'r') continue;
      const table = this.#tables.get(id) ?? [];
      table.push([rest, JSON.parse(text)]);
      this.#tables.set(id, table);
    }
  }

  /** Sorted lines, as `SimulatedHost.tablesOf`. */
  of(host: string, network: string): string[] {
    const { mode, options } = this.#networks.get(network) ?? {};
    const isShared = mode === 'shared';
    const floods = (options as Json | undefined)?.flood === true;
    const others = (this.#tables.get(network) ?? []).filter(([, value]) => value.host !== host);
    const lines = others.flatMap(([rest, value]) => {
      const id = String(value.host);
      const underlay = String(this.#hosts.get(id)?.underlay4);
      if (isShared) {
        const mac = String(value.mac);
        const flood = floods ? [`fdb 00:00:00:00:00:00 ${underlay}`] : [];
        return [`fdb ${mac} ${underlay}`, `port ${mac}`, `neigh ${addressOf(rest)} ${mac}`, ...flood];
      }
      const [hex = '', length] = rest.split('-');
      const [gateway, mac] = [addressOf(hex), deviceMac(id, network)];
      return [`fdb ${mac} ${underlay}`, `neigh ${gateway} ${mac}`, `route ${gateway}/${length} ${gateway}`];
    });
    return [...new Set(lines)].sort();
  }
}

/** One line for each network of each host whose tables are not what the store says: what they lack, and have too much. */
export function differences(hosts: Iterable<SimulatedHost>, keys: Keys): string[] {
  const expected = new Expected(keys);
  return [...hosts].flatMap((host) =>
    host.networks.flatMap((network) => {
      const found = host.tablesOf(network);
      const wanted = expected.of(host.self.id, network);
      if (found.join('\n') === wanted.join('\n')) return [];
      const lacks = wanted.filter((line) => !found.includes(line));
      const extra = found.filter((line) => !wanted.includes(line));
      const some = (lines: readonly string[]): string => `${lines.length} (${lines.slice(0, 3).join(', ')})`;
      return [`${host.self.name}, network ${network}: lacks ${some(lacks)}, has too much ${some(extra)}`];
    }),
  );
}

function addressOf(hex: string): string {
  const addr: Addr = { family: hex.length === 8 ? 4 : 6, value: BigInt(`0x${hex}`) };
  return formatAddr(addr);
}
