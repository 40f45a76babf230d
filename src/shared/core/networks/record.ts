import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Rules } from '../../drivers/rules.ts';
import type { NetworkHolder } from '../../model/owned.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';

/** Lock key of a device. It is not per network, because two networks may share a bridge. */
export function deviceKey(device: string): string {
  return `device:${device}`;
}

/** True if the Network has a holder, with or without endpoints. */
export function isHeld(row: NetworkRow | undefined): boolean {
  return (row?.holders?.length ?? 0) > 0;
}

/** True if the Network has a holder or an endpoint of either camp. */
export function isUsed({ store }: Pick<Core, 'store'>, row: NetworkRow): boolean {
  return isHeld(row) || store.endpoints.any(row.name);
}

/** The row with these holders; without the key for an empty list. */
export function withHolders({ holders: _, ...row }: NetworkRow, holders: readonly NetworkHolder[]): NetworkRow {
  return holders.length === 0 ? row : { ...row, holders };
}

/** Holders of a Network, as text for people. */
export function formatHolders(holders: readonly NetworkHolder[] = []): string {
  const shown = holders.map((one) =>
    one.kind === 'docker' ? `Docker network ${one.id.slice(0, 12)}` : 'the operator',
  );
  return shown.join(' and ');
}

/**
 * The spec that an endpoint's call results in: a Network with a holder keeps its spec, any other gets that of the last
 * call.
 */
export function specFor(known: NetworkRow | undefined, asked: NetworkSpec | undefined): NetworkSpec | undefined {
  return asked === undefined || (isHeld(known) && known?.spec !== undefined) ? known?.spec : asked;
}

/** The packet filter rules for an endpoint's call: like `specFor`, except for ports. */
export function rulesFor(known: NetworkRow | undefined, asked: Rules | undefined): Rules | undefined {
  const kept = isHeld(known) ? known?.spec?.rules : undefined;
  if (kept === undefined) return asked;
  const ports = asked?.options.ports ?? kept.options.ports;
  return { ...kept, options: { ...kept.options, ports }, mappings: asked?.mappings ?? [] };
}
