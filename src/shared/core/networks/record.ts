import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Rules } from '../../drivers/rules.ts';
import type { NetworkRow } from '../../store/store.ts';

/** One lock a device, not a network: two networks may share a bridge. */
export function deviceKey(device: string): string {
  return `device:${device}`;
}

/** True where somebody keeps the Network, whether it has endpoints or not. */
export function isHeld(row: NetworkRow | undefined): boolean {
  return (row?.holders?.length ?? 0) > 0;
}

/** The row with these holders; without any, as if there had never been one. */
export function withHolders({ holders: _, ...row }: NetworkRow, holders: readonly string[]): NetworkRow {
  return holders.length === 0 ? row : { ...row, holders };
}

/** Who keeps a Network, for people. */
export function formatHolders(holders: readonly string[] = []): string {
  const shown = holders.map((holder) => holder.replace(/^docker:(.{12}).*$/, 'Docker network $1'));
  return shown.map((holder) => (holder === 'operator' ? 'the operator' : holder)).join(' and ');
}

/**
 * What an endpoint's call makes its Network by: a Network that somebody keeps stays what it is, any other becomes what
 * the last call says.
 */
export function specFor(known: NetworkRow | undefined, asked: NetworkSpec | undefined): NetworkSpec | undefined {
  return asked === undefined || (isHeld(known) && known?.spec !== undefined) ? known?.spec : asked;
}

/** What the packet filter does for a Network that an endpoint's call comes to: as `specFor`, for all but its ports. */
export function rulesFor(known: NetworkRow | undefined, asked: Rules | undefined): Rules | undefined {
  const kept = isHeld(known) ? known?.spec?.rules : undefined;
  if (kept === undefined) return asked;
  const ports = asked?.options.ports ?? kept.options.ports;
  return { ...kept, options: { ...kept.options, ports }, mappings: asked?.mappings ?? [] };
}
