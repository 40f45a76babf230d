import type { Core } from '../core/core.ts';
import { missingRules } from '../core/missing-rules.ts';
import type { Family } from '../model/addr.ts';
import type { PartCount } from '../store/store.ts';
import { type SubnetInfo, subnetsOf } from './networks.ts';

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
export async function figuresOf(core: Core): Promise<Figures> {
  const parts = core.store.endpoints.count();
  const rows = core.store.networks.list();
  const sum = (wanted: (part: PartCount) => boolean): number =>
    parts.reduce((total, part) => total + (wanted(part) ? part.count : 0), 0);
  const interfaces = (camp: PartCount['camp']): number =>
    sum((part) => part.role === 'interface' && part.camp === camp);
  const networks: NetworkFigures[] = [];
  for (const row of rows) {
    const subnets = await subnetsOf(core, row);
    const addresses = ([4, 6] as const).flatMap((family) => addressesOf(subnets, family) ?? []);
    networks.push({ name: row.name, driver: row.driver, addresses });
  }
  return {
    endpoints: { cni: interfaces('cni'), cnm: interfaces('cnm') },
    networks,
    halfDone: sum(({ progress }) => progress === 'intent') + rows.filter(({ deleting }) => deleting === true).length,
  };
}

/** Undefined if Isthmus assigns none of this family. */
function addressesOf(subnets: readonly SubnetInfo[], family: Family): AddressFigures | undefined {
  const counted = subnets.filter(
    ({ subnet, leased }) => leased !== undefined && subnet.includes(':') === (family === 6),
  );
  if (counted.length === 0) return undefined;
  const used = counted.reduce((total, { leased = 0 }) => total + leased, 0);
  const free = counted.reduce((total, { size, leased = 0 }) => total + Math.max(0, size - leased), 0);
  return { family, used, free };
}

/** How many entries of the packet filter the records need and the host lacks. */
export async function countMissingRules(core: Core, wait: (ms: number) => Promise<unknown>): Promise<number> {
  return (await missingRules(core, wait)).length;
}
