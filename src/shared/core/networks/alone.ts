import { bridgeOf, type NetworkSpec } from '../../config/network-spec.ts';
import { isOnParent } from '../../config/parented.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { type Addr, compareAddr } from '../../model/addr.ts';
import { scopeOf } from '../../model/endpoint.ts';
import { firstOf, formatPrefix, lastOf, overlaps, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { formatHolders, isHeld, isUsed } from './record.ts';

/**
 * Throws NetError `conflict` if another Network uses the bridge or an address of the new Network. Ignores Networks whose
 * addresses the host does not know (null), and unused ones.
 */
export function assertAlone(core: Core, name: string, spec: NetworkSpec): void {
  if (spec.options.driver === 'null' || spec.options.driver === 'cni') return;
  const bridge = bridgeOf(spec.options)?.bridge;
  const others = core.store.networks.list().filter((row) => row.name !== name && isRouted(row));
  for (const row of others) {
    if (row.device === bridge && isUsed(core, row)) {
      const hint = 'Name another bridge, or share that Network by its name';
      throw taken(name, `bridge ${bridge} is that of ${describe(row)}`, hint);
    }
  }
  for (const subnet of prefixesOf(spec)) {
    for (const row of others) {
      const clash = row.spec && prefixesOf(row.spec).find((other) => overlaps(subnet, other));
      if (clash === undefined || !isUsed(core, row) || (isShut(spec) && isShut(row.spec))) continue;
      const what = `subnet ${formatPrefix(subnet)} overlaps ${formatPrefix(clash)} of ${describe(row)}`;
      throw taken(name, what, 'Choose another subnet, or share that Network by its name');
    }
  }
}

function isRouted({ device, driver }: NetworkRow): boolean {
  if (isOnParent(driver)) return false;
  return device !== '' || driver === 'ptp';
}

/** The subnets of a Network, on whichever host. */
function prefixesOf({ options, ranges }: NetworkSpec): Prefix[] {
  const pools = options.driver === 'overlay' ? (options.pools ?? []) : [];
  return pools.length > 0
    ? pools.flatMap((pool) => parsePrefix(pool) ?? [])
    : ranges.flat().map(({ subnet }) => subnet);
}

/** True for an overlay that no address leaves, so that another one may have the same: the cluster has compared them. */
function isShut(spec: NetworkSpec | undefined): boolean {
  const { options, rules } = spec ?? {};
  const isBridged = options?.driver === 'overlay' && options.mode === 'shared' && options.hostAddresses === undefined;
  return isBridged && rules?.options.policy === 'internal';
}

/**
 * Throws NetError `conflict` if another used Network on the same bridge gives addresses of these ranges too: both pools
 * would give one address to two endpoints. Compares what each may give, so that two Networks can share a subnet by
 * `rangeStart` and `rangeEnd`. Networks that share leases, or are in different VLANs, do not clash. `known` is the row
 * of the Network itself: two that clashed while both had endpoints go on, since refusing both would stop both.
 */
export function assertOwnAddresses(
  core: Core,
  name: string,
  { options, ranges, scope }: NetworkSpec,
  known: NetworkRow | undefined,
): void {
  const own = bridgeOf(options);
  if (own === undefined || scope === undefined) return;
  const { bridge, vlan } = own;
  const others = core.store.networks.list(bridge).filter((row) => row.name !== name);
  for (const row of others) {
    if (vlanOf(row.spec) !== vlan && row.spec !== undefined) continue;
    for (const subnet of subnetsOf(ranges)) {
      const clash = clashOf(core, row, subnet, scope);
      if (clash === undefined || !isUsed(core, row) || isEstablished(core, known, subnet)) continue;
      const what = `subnet ${formatPrefix(subnet.prefix)} on bridge ${bridge} overlaps ${clash} of ${describe(row)}: one address would go to two containers`;
      const hint = `Give one of them another subnet, separate them by rangeStart and rangeEnd, or use the name ${row.name} for both`;
      throw fault.conflict('ADD', `network ${name}`, what, hint);
    }
  }
}

/** What of the other Network overlaps the subnet, as text. */
function clashOf({ store }: Core, row: NetworkRow, subnet: Subnet, scope: string): string | undefined {
  if (row.spec !== undefined) {
    if (row.spec.scope === undefined || row.spec.scope === scope) return undefined;
    const other = subnetsOf(row.spec.ranges).find((one) => meet(subnet, one));
    return other && formatPrefix(other.prefix);
  }
  // A record that was rebuilt from the bridge's alias does not tell its subnets. Its endpoints' leases do.
  const scopes = new Set(store.endpoints.list(row.name).flatMap((one) => scopeOf(one) ?? []));
  const isLeased = [...scopes].some((one) => one !== scope && store.leases.count(one, subnet.first, subnet.last) > 0);
  return isLeased ? 'addresses' : undefined;
}

/** True if the Network gave addresses of the subnet to other endpoints before, or has a holder. */
function isEstablished(core: Core, known: NetworkRow | undefined, subnet: Subnet): boolean {
  const { bootId } = core.host.identity;
  if (known?.spec?.scope === undefined || known.bootId !== bootId || known.deleting) return false;
  if (!subnetsOf(known.spec.ranges).some((own) => meet(own, subnet))) return false;
  return core.store.endpoints.list(known.name).some(({ progress }) => progress === 'ready');
}

function vlanOf(spec: NetworkSpec | undefined): number | undefined {
  return spec && bridgeOf(spec.options)?.vlan;
}

interface Subnet {
  readonly prefix: Prefix;
  /** The first and the last address to give. */
  readonly first: Addr;
  readonly last: Addr;
}

export function subnetsOf(ranges: NetworkSpec['ranges']): Subnet[] {
  return ranges.flat().map(({ subnet, rangeStart, rangeEnd }) => {
    return { prefix: subnet, first: rangeStart ?? firstOf(subnet), last: rangeEnd ?? lastOf(subnet) };
  });
}

/** True if an address may be given by both. */
export function meet(a: Subnet, b: Subnet): boolean {
  return overlaps(a.prefix, b.prefix) && compareAddr(a.first, b.last) <= 0 && compareAddr(b.first, a.last) <= 0;
}

export function describe(row: NetworkRow): string {
  return isHeld(row) ? `network ${row.name} (${formatHolders(row.holders)})` : `network ${row.name}`;
}

function taken(name: string, what: string, hint: string): NetError {
  return fault.conflict('create', `network ${name}`, what, hint);
}
