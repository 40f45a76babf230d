import type { NetworkSpec } from '../../config/network-spec.ts';
import { parentedOf } from '../../config/parented.ts';
import { bridgeDriver } from '../../drivers/bridge/bridge.ts';
import type { Addressing, Assigned, Driver, NetworkDriver, ParentedDriver } from '../../drivers/driver.ts';
import { accessibleDriver } from '../../drivers/lone/accessible.ts';
import { parentedDriver } from '../../drivers/lone/parented.ts';
import { shimDriver } from '../../drivers/lone/shim.ts';
import { overlayDriver } from '../../drivers/overlay/overlay.ts';
import { ptpDriver } from '../../drivers/ptp/ptp.ts';
import type { Rules } from '../../drivers/rules.ts';
import { given } from '../../model/given.ts';
import type { NetworkHolder } from '../../model/owned.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';

/**
 * Lock key of a Network. It is that of its device, because two networks may share a bridge; that of the Network itself if
 * it has no device.
 */
export function deviceKey({ name, device }: Pick<NetworkRow, 'name' | 'device'>): string {
  return device === '' ? `network:${name}` : `device:${device}`;
}

/** The device that carries the driver's network; empty without one (ptp). */
export function carrierOf({ devices: [device = ''] }: Pick<NetworkDriver, 'devices'>): string {
  return device;
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

/**
 * The driver that plans the Network, and endpoints that dockerd moves; undefined if it has nothing on the host (null), or
 * only the host's access to it.
 */
export function offeringDriverOf(
  options: NetworkSpec['options'],
  network: string,
): Driver | ParentedDriver | undefined {
  const parented = parentedOf(options);
  if (parented === undefined) return driverOf(options, network);
  const { hostAccess } = parented;
  return hostAccess === undefined
    ? parentedDriver(parented, network)
    : accessibleDriver({ ...parented, hostAccess }, network);
}

/** The driver that plans the Network; undefined if it has nothing on the host. */
export function networkDriverOf(options: NetworkSpec['options'], network: string): NetworkDriver | undefined {
  if (parentedOf(options) === undefined && 'hostAccess' in options && options.hostAccess !== undefined)
    return shimDriver({ ...options, hostAccess: options.hostAccess }, network);
  return offeringDriverOf(options, network);
}

/** The same, of networks whose endpoints have a side on the host. */
export function driverOf(options: NetworkSpec['options'], network: string): Driver | undefined {
  if (options.driver === 'overlay') return overlayDriver(options, network);
  if (options.driver === 'ptp') return ptpDriver(options);
  return options.driver === 'bridge' ? bridgeDriver(options, network) : undefined;
}

/** Addressing of the Network itself: the first subnet of each range set, with its gateway if it has one. */
export function networkAddressing({ ranges, routes }: NetworkSpec): Addressing {
  const addresses = ranges.flatMap(([first]): Assigned[] => {
    if (first === undefined) return [];
    const { subnet: address, gateway } = first;
    return [{ address, ...given({ gateway }) }];
  });
  return { addresses, routes };
}

/** Spec of the Network of this name: on record, else from a CNI configuration file; undefined if neither has it. */
export function knownNetwork({ store, configured }: Core, name: string): NetworkSpec | undefined {
  return store.networks.get(name)?.spec ?? configured?.(name);
}
