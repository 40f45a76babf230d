import { bridgeOf, formatSpec, type NetworkSpec } from '../../config/network-spec.ts';
import { fault } from '../../errors/fault.ts';
import { formatAddr } from '../../model/addr.ts';
import { firstHost, formatPrefix } from '../../model/prefix.ts';
import type { NetworkRow } from '../../store/store.ts';
import { formatHolders, isHeld, networkAddressing } from './record.ts';

/** True for equal JSON: the same input always yields the same NetworkSpec text. */
export function sameSpec(a: NetworkSpec | undefined, b: NetworkSpec | undefined): boolean {
  return a === b || textOf(a) === textOf(b);
}

/** Specs are never changed, and those of records are the same objects from call to call. */
const texts = new WeakMap<NetworkSpec, string>();

function textOf(spec: NetworkSpec | undefined): string | undefined {
  if (spec === undefined) return undefined;
  const known = texts.get(spec);
  if (known !== undefined) return known;
  const text = JSON.stringify(formatSpec(spec));
  texts.set(spec, text);
  return text;
}

/** Throws NetError `conflict` if the request contradicts the Network in `row`. */
export function assertSameNetwork(op: string, row: NetworkRow, asked: NetworkSpec): void {
  const { name, spec } = row;
  const found = spec === undefined || sameSpec(spec, asked) ? undefined : contradiction(spec, asked);
  if (found === undefined) return;
  const [has, wants] = found;
  const kept = isHeld(row) ? `, and ${formatHolders(row.holders)} keeps it` : '';
  throw fault.conflict(
    op,
    `network ${name}`,
    `has ${has}, but ${wants} is requested${kept}`,
    'Ask for what it has, or use another name',
  );
}

/** The first trait in which the two specs differ: the known value, and the requested one. */
function contradiction(known: NetworkSpec, asked: NetworkSpec): readonly [string, string] | undefined {
  const [has, wants] = [traits(known), traits(asked)];
  const index = has.findIndex((trait, i) => trait !== wants[i]);
  if (index >= 0) return [has[index] ?? '', wants[index] ?? ''];
  const [one, two] = [known.rules?.backend, asked.rules?.backend];
  return one === undefined || two === undefined || one === two ? undefined : [`firewall ${one}`, `firewall ${two}`];
}

/** The traits that identify a Network, as text. */
function traits(spec: NetworkSpec): string[] {
  const { options, ranges, scope, allocator } = spec;
  const own = bridgeOf(options);
  const bridge = own === undefined ? `driver ${driverText(options)}` : `bridge ${own.bridge}`;
  const subnets = ranges.flat().map(({ subnet }) => formatPrefix(subnet));
  const gateways = networkAddressing(spec).addresses.map(({ address, gateway }) =>
    formatAddr(gateway ?? firstHost(address)),
  );
  return [
    own?.vlan === undefined ? bridge : `${bridge} with VLAN ${own.vlan}`,
    options.driver === 'overlay' ? `VNI ${options.vxlan.id}, ${options.mode}` : 'no VNI',
    listed('subnet', subnets),
    allocator === undefined ? 'the built-in IPAM' : `addresses of ${allocator}`,
    scope === undefined ? 'no leases' : `leases in ${scope}`,
    listed('gateway', gateways),
  ];
}

/** What a plugin was told of a network never changes. */
function driverText(options: NetworkSpec['options']): string {
  if (options.driver !== 'remote') return options.driver;
  const { driver, plugin, ipam, ...more } = options;
  const pools = ipam === undefined ? '' : ` with addresses of plugin ${ipam.plugin} ${JSON.stringify(ipam)}`;
  return `${driver} of plugin ${plugin} ${JSON.stringify(more)}${pools}`;
}

function listed(what: string, items: readonly string[]): string {
  return items.length === 0 ? `no ${what}` : `${what} ${items.toSorted().join(', ')}`;
}
