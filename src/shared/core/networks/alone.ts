import type { NetworkSpec } from '../../config/network-spec.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { formatPrefix, overlaps, type Prefix } from '../../model/prefix.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { isUsed } from './network.ts';
import { formatHolders, isHeld } from './record.ts';

/**
 * Throws NetError `conflict` if another Network uses the bridge or an address of the new Network. Ignores Networks
 * without a device and unused Networks.
 */
export function assertAlone(core: Core, name: string, { options, ranges }: NetworkSpec): void {
  if (options.driver !== 'bridge') return;
  const { bridge } = options;
  const others = core.store.networks.list().filter((row) => row.name !== name && row.device !== '');
  for (const row of others) {
    if (row.device === bridge && isUsed(core, row)) {
      const hint = 'Name another bridge, or share that Network by its name';
      throw taken(name, `bridge ${bridge} is that of ${describe(row)}`, hint);
    }
  }
  for (const subnet of subnetsOf(ranges)) {
    for (const row of others) {
      const clash = subnetsOf(row.spec?.ranges ?? []).find((other) => overlaps(subnet, other));
      if (clash === undefined || !isUsed(core, row)) continue;
      const what = `subnet ${formatPrefix(subnet)} overlaps ${formatPrefix(clash)} of ${describe(row)}`;
      throw taken(name, what, 'Choose another subnet, or share that Network by its name');
    }
  }
}

function subnetsOf(ranges: NetworkSpec['ranges']): Prefix[] {
  return ranges.flat().map(({ subnet }) => subnet);
}

function describe(row: NetworkRow): string {
  return isHeld(row) ? `network ${row.name} (${formatHolders(row.holders)})` : `network ${row.name}`;
}

function taken(name: string, what: string, hint: string): NetError {
  return fault.conflict('create', `network ${name}`, what, hint);
}
