import { existsSync, lstatSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { View } from '../../host/host.ts';
import type { Family } from '../../model/addr.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { KernelFacts, NeighbourTable, PathFacts } from './facts.ts';
import { BRIDGE_CALLS, strictKey } from './rules/kernel.ts';

const CONNTRACK = { count: 'net/netfilter/nf_conntrack_count', max: 'net/netfilter/nf_conntrack_max' } as const;
const FAMILIES = [4, 6] as const;
/** Counters of the tables, one line for each processor; the first column is the number of entries, in hex. */
const TABLES = { 4: 'proc/net/stat/arp_cache', 6: 'proc/net/stat/ndisc_cache' } as const;

function thresholdKey(family: Family, n: 2 | 3): string {
  return `net/ipv${family}/neigh/default/gc_thresh${n}`;
}

/** The settings that rules look at. */
export function settingsOf(devices: readonly string[]): string[] {
  return [
    ...Object.values(CONNTRACK),
    ...FAMILIES.flatMap((family) => [thresholdKey(family, 2), thresholdKey(family, 3)]),
    ...Object.values(BRIDGE_CALLS),
    ...['all', ...devices].map(strictKey),
  ];
}

/** Below `root`: the files of /proc and /lib of this host. */
export function observeKernel(
  root: string,
  view: View,
  networks: readonly NetworkRow[],
  endpoints: readonly Endpoint[],
): KernelFacts {
  const number = (key: string): number => Number(view.sysctls.get(key) ?? '0');
  const max = number(CONNTRACK.max);
  const neighbours = FAMILIES.flatMap((family): NeighbourTable[] => {
    const hard = number(thresholdKey(family, 3));
    const [, line = ''] = (textOf(join(root, TABLES[family])) ?? '').split('\n');
    const count = Number.parseInt(line.trim().split(/\s+/)[0] ?? '', 16);
    return hard === 0 || Number.isNaN(count) ? [] : [{ family, count, soft: number(thresholdKey(family, 2)), hard }];
  });
  return {
    ...(max > 0 && { conntrack: { count: number(CONNTRACK.count), max } }),
    neighbours,
    missingModules: missingModules(root, view, neededModules(networks, endpoints)),
  };
}

/** Modules by what records say, as modprobe names them. */
export function neededModules(networks: readonly NetworkRow[], endpoints: readonly Endpoint[]): ReadonlySet<string> {
  const needed = new Set<string>();
  for (const { driver } of networks) {
    if (driver === 'bridge' || driver === 'overlay') needed.add('bridge');
    if (driver === 'overlay') needed.add('vxlan');
  }
  for (const part of endpoints) {
    if (part.kind === 'cni' || (part.kind === 'docker' && part.link !== undefined)) needed.add('veth');
    if ('shaping' in part && part.shaping !== undefined) for (const name of ['ifb', 'sch_tbf']) needed.add(name);
    if (part.kind === 'lone') needed.add(LONE_MODULES[part.link.link.kind] ?? '');
    if (part.kind === 'vrf') needed.add('vrf');
  }
  needed.delete('');
  return needed;
}

const LONE_MODULES: Readonly<Record<string, string>> = {
  ...{ macvlan: 'macvlan', ipvlan: 'ipvlan', vlan: '8021q', dummy: 'dummy', tap: 'tun' },
};
/** Modules that make links of a kind of another name. */
const KINDS: Readonly<Record<string, string>> = { '8021q': 'vlan' };

/** Those that cannot be loaded, as far as the files of this kernel tell; none where they are not there. */
function missingModules(root: string, view: View, needed: ReadonlySet<string>): string[] {
  const release = textOf(join(root, 'proc/sys/kernel/osrelease'))?.trim() ?? '';
  const lists = ['modules.builtin', 'modules.dep'].map((name) => textOf(join(root, 'lib/modules', release, name)));
  if (release === '' || lists.some((text) => text === undefined)) return [];
  const known = new Set(
    lists.flatMap((text = '') =>
      [...text.matchAll(/^\S*?([^/\s]+?)\.ko\S*/gm)].map(([, name = '']) => underscored(name)),
    ),
  );
  const loaded = new Set(
    (textOf(join(root, 'proc/modules')) ?? '').split('\n').map((line) => line.split(' ')[0] ?? ''),
  );
  const kinds = new Set([...view.links.values()].map(({ kind }) => kind));
  return [...needed].filter(
    (name) =>
      !known.has(underscored(name)) &&
      !loaded.has(underscored(name)) &&
      !kinds.has(KINDS[name] ?? name) &&
      !existsSync(join(root, 'sys/module', underscored(name))),
  );
}

function underscored(name: string): string {
  return name.replaceAll('-', '_');
}

/** Undefined for a file that cannot be read. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The sockets of `/proc/net/unix` on which a process of this namespace listens and whose name is `cni.sock`. */
export function listeningDaemons(root: string): string[] {
  const lines = (textOf(join(root, 'proc/net/unix')) ?? '').split('\n').slice(1);
  const paths = lines.flatMap((line) => {
    const [, , , flags = '', , , , ...path] = line.trim().split(/\s+/);
    const name = path.join(' ');
    return (Number.parseInt(flags, 16) & ACCEPTS) !== 0 && name.endsWith('/cni.sock') ? [name] : [];
  });
  return [...new Set(paths)].sort();
}

/** __SO_ACCEPTCON, linux/net.h. */
const ACCEPTS = 1 << 16;

const PRIVATE = { directory: 0o700, file: 0o600, socket: 0o600 } as const;
const STATE_FILES = ['state.db', 'state.db-wal', 'state.db-shm', 'changes', 'locks'];
const SOCKETS = ['cni.sock', 'control.sock', 'cluster.sock'];

/** The files, directories and sockets of ours that there are. */
export function observePaths(stateDir: string, runDir: string): PathFacts[] {
  return [
    pathFacts(stateDir, 'directory'),
    ...STATE_FILES.map((name) => pathFacts(join(stateDir, name), 'file')),
    pathFacts(runDir, 'directory'),
    ...SOCKETS.map((name) => pathFacts(join(runDir, name), 'socket')),
  ].flat();
}

function pathFacts(path: string, wanted: PathFacts['wanted']): PathFacts[] {
  let found: Stats | undefined;
  try {
    found = lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return [];
  }
  if (found === undefined) return [];
  return [{ path, wanted, is: kindOf(found), mode: found.mode & 0o7777, most: PRIVATE[wanted], uid: found.uid }];
}

function kindOf(found: Stats): PathFacts['is'] {
  if (found.isSymbolicLink()) return 'link';
  if (found.isDirectory()) return 'directory';
  if (found.isSocket()) return 'socket';
  return found.isFile() ? 'file' : 'other';
}
