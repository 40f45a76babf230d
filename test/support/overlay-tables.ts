import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Addr, formatAddr } from '../../src/shared/model/addr.ts';
import type { EtcdSite } from './etcd.ts';
import type { TestNetns } from './netns.ts';
import type { Member, Overlay } from './overlay-site.ts';

type Stores = Pick<Overlay, 'zooKeeper'> & { readonly etcd: EtcdSite };

/** Everything below the cluster's directory in the store, without the directory. Reads it with the tools of others. */
export function keysOf(stores: Stores): Map<string, string> {
  const root = '/isthmus/test/v1/';
  const [member] = stores.zooKeeper?.members ?? [];
  if (member !== undefined) {
    const script = join(import.meta.dirname, 'zookeeper-entries.ts');
    const words = ['--no-warnings', script, member.endpoint, root];
    return new Map(JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8', timeout: 20_000 })));
  }
  const lines = stores.etcd.ctl('get', '--prefix', root).split('\n');
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < lines.length; i += 2) found.set(lines[i]?.slice(root.length) ?? '', lines[i + 1] ?? '');
  return found;
}

/** The keys of addresses, ranges, uses and networks: empty once nothing is on any network. */
export function contentKeys(overlay: Overlay): string[] {
  return [...keysOf(overlay).keys()].filter((key) => /^(?:a|r|u|net|name|vni)\//.test(key));
}

/**
 * The tables of the kernel of every host say exactly what etcd's keys say, within some seconds; with the differences
 * otherwise. Reads both with the tools of others.
 */
export async function assertTables(overlay: Overlay, seconds = 10): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const keys = keysOf(overlay);
    const wanted = wantedOf(overlay, keys);
    const found = Object.fromEntries(overlay.members.map((member) => [member.name, look(member)]));
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    if (Date.now() > end) assert.deepEqual(found, wanted, 'the tables of the hosts, and what etcd says');
    await sleep(100);
  }
}

/** Lines that describe a kernel's entries, by VNI, in order. */
type Tables = Record<string, readonly string[]>;

interface Json {
  readonly [key: string]: unknown;
}

function wantedOf({ members }: Overlay, keys: ReadonlyMap<string, string>): Record<string, Tables> {
  const below = (prefix: string): [rest: string, value: Json][] =>
    [...keys].flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), JSON.parse(value)]] : [],
    );
  const hosts = new Map(below('host/'));
  const idOf = ({ name }: Member): string =>
    [...hosts].find(([, host]) => host.name === name)?.[0] ?? `no host ${name} in etcd`;
  const underlay = (id: string): string => String(hosts.get(id)?.underlay4 ?? hosts.get(id)?.underlay6);
  return Object.fromEntries(
    members.map((member) => {
      const self = idOf(member);
      const tables: Tables = {};
      for (const [network, record] of below('net/')) {
        if (!keys.has(`u/${network}/${self}`)) continue;
        const vni = Number(record.vni);
        const lines =
          record.mode === 'shared'
            ? below(`a/${network}/`).flatMap(([hex, { host, mac }]) =>
                host === self
                  ? []
                  : [`fdb ${mac} ${underlay(String(host))}`, `port ${mac}`, `neigh ${addressOf(hex)} ${mac}`],
              )
            : below(`r/${network}/`).flatMap(([text, { host }]) => {
                if (host === self) return [];
                const [hex = '', length] = text.split('-');
                const other = members.find((each) => idOf(each) === host);
                const mac = other === undefined ? 'unknown' : macOn(other.site.host.ns, vni);
                const gateway = addressOf(hex);
                return [
                  `fdb ${mac} ${underlay(String(host))}`,
                  `neigh ${gateway} ${mac}`,
                  `route ${gateway}/${length} ${gateway}`,
                ];
              });
        tables[vni] = [...new Set(lines)].sort();
      }
      return [member.name, tables];
    }),
  );
}

/** A device may go while the tools look at it. */
function look(member: Member): Tables {
  try {
    return foundOn(member);
  } catch (error) {
    return { error: [String(error)] };
  }
}

function foundOn({ site }: Member): Tables {
  const { ns } = site.host;
  const tables: Tables = {};
  for (const link of devicesOf(ns)) {
    const name = String(link.ifname);
    const bridge = typeof link.master === 'string' ? link.master : undefined;
    const fdb = parsed(ns.run('bridge', '-j', 'fdb', 'show', 'dev', name));
    // The bridge has a permanent entry with the MAC of each port.
    const forwarding = fdb.flatMap(({ mac, dst, master, state }) =>
      dst !== undefined ? [`fdb ${mac} ${dst}`] : master !== undefined && state !== 'permanent' ? [`port ${mac}`] : [],
    );
    const neighbours = parsed(ns.ip('-j', 'neigh', 'show', 'dev', bridge ?? name, 'nud', 'permanent'));
    const routes = [4, 6].flatMap((family) =>
      bridge === undefined ? parsed(ns.ip('-j', `-${family}`, 'route', 'show', 'dev', name)) : [],
    );
    tables[vniOf(link)] = [
      ...forwarding,
      ...neighbours.map(({ dst, lladdr }) => `neigh ${dst} ${lladdr}`),
      ...routes.flatMap(({ dst, gateway }) => (gateway === undefined ? [] : [`route ${dst} ${gateway}`])),
    ].sort();
  }
  return tables;
}

/** The VXLAN devices of a host. */
export function devicesOf(ns: TestNetns): readonly Json[] {
  return parsed(ns.ip('-j', '-d', 'link', 'show', 'type', 'vxlan'));
}

function vniOf(link: Json): number {
  const { info_data } = link.linkinfo as { readonly info_data: { readonly id: number } };
  return info_data.id;
}

function macOn(ns: TestNetns, vni: number): string {
  return String(devicesOf(ns).find((link) => vniOf(link) === vni)?.address ?? 'none');
}

function parsed(text: string): readonly Json[] {
  const found: readonly Json[] = text.trim() === '' ? [] : JSON.parse(text);
  // iproute2 prints an empty object for each link that its filter leaves out.
  return found.filter((each) => Object.keys(each).length > 0);
}

function addressOf(hex: string): string {
  const addr: Addr = { family: hex.length === 8 ? 4 : 6, value: BigInt(`0x${hex}`) };
  return formatAddr(addr);
}
