import type { Core } from '../core/core.ts';
import { capacity } from '../ipam/ranges.ts';
import type { Family } from '../model/addr.ts';
import { firstHost, firstOf, lastOf } from '../model/prefix.ts';
import type { NetworkRow, PartCount } from '../store/store.ts';

/** What the state has, in numbers. */
export interface Figures {
  /** Interfaces, by camp. */
  readonly endpoints: Readonly<Record<PartCount['camp'], number>>;
  readonly networks: readonly NetworkFigures[];
  /** Parts of endpoints, and networks, that a call is creating or deleting, or that a dead call left. */
  readonly halfDone: number;
}

/** A network, and the addresses that Isthmus assigns in it, by family. */
export interface NetworkFigures {
  readonly name: string;
  readonly driver: string;
  readonly addresses: readonly AddressFigures[];
}

export interface AddressFigures {
  readonly family: Family;
  readonly used: number;
  /** Approximate above 2^53. */
  readonly free: number;
}

/** Reads no endpoint: as fast with a thousand as with one. */
export function figuresOf(core: Core): Figures {
  const parts = core.store.endpoints.count();
  const rows = core.store.networks.list();
  const sum = (wanted: (part: PartCount) => boolean): number =>
    parts.reduce((total, part) => total + (wanted(part) ? part.count : 0), 0);
  const interfaces = (camp: PartCount['camp']): number =>
    sum((part) => part.role === 'interface' && part.camp === camp);
  const networks: NetworkFigures[] = [];
  for (const row of rows) {
    const addresses = ([4, 6] as const).flatMap((family) => addressesOf(core, row, family) ?? []);
    networks.push({ name: row.name, driver: row.driver, addresses });
  }
  return {
    endpoints: { cni: interfaces('cni'), cnm: interfaces('cnm') },
    networks,
    halfDone: sum(({ progress }) => progress === 'intent') + rows.filter(({ deleting }) => deleting === true).length,
  };
}

/** Undefined if Isthmus assigns none of this family. */
function addressesOf({ store }: Core, { spec }: NetworkRow, family: Family): AddressFigures | undefined {
  const scope = spec?.scope;
  const ranges = (spec?.ranges.flat() ?? []).filter(({ subnet }) => subnet.addr.family === family);
  if (scope === undefined || ranges.length === 0) return undefined;
  let [used, free] = [0, 0];
  for (const range of ranges) {
    const [first, last] = [firstOf(range.subnet), lastOf(range.subnet)];
    const gateway = range.gateway ?? firstHost(range.subnet);
    const leased = store.leases.count(scope, first, last);
    const size = Number(capacity([{ rangeStart: first, rangeEnd: last, ...range, gateway }], [gateway]));
    used += leased;
    free += Math.max(0, size - leased);
  }
  return { family, used, free };
}
