import type { Endpoint } from '../model/endpoint.ts';
import type { ClusterKeyRow, ClusterKeyTable } from '../store/cluster-keys.ts';
import type { NoteTable, PartCount } from '../store/store.ts';

/** Calls `rows` each time: a failed transaction replaces the map. */
export function clusterKeyTable(rows: () => Map<string, ClusterKeyRow>, prefix: string): ClusterKeyTable {
  const list = (start: string): ClusterKeyRow[] => {
    const found = [...rows()].filter(([key]) => key.startsWith(prefix + start));
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  };
  return {
    get: (key) => rows().get(prefix + key),
    put: (row) => void rows().set(prefix + row.key, { ...row }),
    delete: (key) => void rows().delete(prefix + key),
    list,
    outbox: () => list('').filter(({ state }) => state !== 'held'),
  };
}

/** Calls `rows` each time: a failed transaction replaces the map. */
export function noteTable(rows: () => Map<string, string>, prefix: string): NoteTable {
  return {
    get: (key) => rows().get(prefix + key),
    put: (key, value) => void rows().set(prefix + key, value),
    delete: (key) => void rows().delete(prefix + key),
    keys: (start) => {
      const found = [...rows().keys()].filter((key) => key.startsWith(prefix + start));
      return found.map((key) => key.slice(prefix.length)).sort();
    },
  };
}

/** EndpointTable.count. */
export function countParts(rows: readonly Endpoint[]): PartCount[] {
  const parts = rows.map(({ attachment: { camp }, role, progress }) => ({ camp, role, progress }));
  const alike = Map.groupBy(parts, ({ camp, role, progress }) => [camp, role, progress].join(' '));
  return [...alike]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, [first, ...more]]) => (first === undefined ? [] : [{ ...first, count: more.length + 1 }]));
}
