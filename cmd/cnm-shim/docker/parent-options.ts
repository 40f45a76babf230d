import type { IpvlanOptions } from '../../../src/shared/config/ipvlan.ts';
import type { MacvlanOptions } from '../../../src/shared/config/macvlan.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';
import type { NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { madeVlan, type ParentedOptions } from '../../../src/shared/config/parented.ts';
import { hostAccessOf, type RequestedHostAddress } from '../../../src/shared/config/read-host-access.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { formatAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import { ifNameFault } from '../../../src/shared/model/link.ts';
import { formatPrefix } from '../../../src/shared/model/prefix.ts';
import type { CreateEndpointRequest, CreateNetworkRequest, TextMap } from './wire/messages.ts';

/** Options of drivers `macvlan` and `ipvlan` that the user gives, with Docker's names and defaults. */
export type ParentChoice = (
  | Pick<MacvlanOptions, 'driver' | 'mode'>
  | Pick<IpvlanOptions, 'driver' | 'mode' | 'flag'>
) & {
  /** Absent: a link that leads nowhere, which the network makes. */
  readonly parent?: string;
  /** The host reaches the containers, by an address of the network. */
  readonly hostAccess?: true;
};

/** Options that only these drivers have. */
export const PARENT_KEYS = ['parent', 'macvlan_mode', 'ipvlan_mode', 'ipvlan_flag', 'host_access'] as const;

/** The first ones are the defaults. */
const MACVLAN_MODES = ['bridge', 'private', 'vepa', 'passthru'] as const;
const IPVLAN_MODES = ['l2', 'l3', 'l3s'] as const;
const IPVLAN_FLAGS = ['bridge', 'private', 'vepa'] as const;

/** Options that say something of a bridge, of translation or of published ports. */
const BRIDGE_ONLY =
  /^(bridge|icc|ipMasq|macspoofchk|spoofGuard|proxy6to4|com\.docker\.network\.(bridge\..+|host_ipv[46]))$/;

/** Undefined for other drivers. Throws NetError `invalid-config` that names key, value and rule. */
export function parentChoice(generic: TextMap, driver: string): ParentChoice | undefined {
  const isGiven = (key: string): boolean => (generic[key] ?? '') !== '';
  if (driver !== 'macvlan' && driver !== 'ipvlan') {
    const foreign = PARENT_KEYS.find(isGiven);
    if (foreign === undefined) return undefined;
    const of = /^(macvlan|ipvlan)_/.exec(foreign)?.[1];
    const what = `only driver ${of ?? 'macvlan or ipvlan'} has this option`;
    throw refused(generic, foreign, what, `Add -o driver=${of ?? 'macvlan'}`);
  }
  const { mode = '' } = generic;
  if (mode !== '') throw refused(generic, 'mode', 'only driver overlay has it', `Give -o ${driver}_mode=${mode}`);
  const other = driver === 'macvlan' ? 'ipvlan_' : 'macvlan_';
  const foreign = Object.keys(generic).find((key) => isGiven(key) && (key.startsWith(other) || BRIDGE_ONLY.test(key)));
  if (foreign !== undefined) {
    const what = foreign.startsWith(other)
      ? `the network is of driver ${driver}`
      : `a network of driver ${driver} has no bridge, and the packet filter of the host does not see its traffic`;
    throw refused(generic, foreign, what, 'Leave it out');
  }
  const parent = given({ parent: parentIn(generic) });
  const own = ownChoice(generic, driver, parent);
  return { ...own, ...given({ hostAccess: hostAccessIn(generic, own) }) };
}

function ownChoice(
  generic: TextMap,
  driver: ParentChoice['driver'],
  parent: Pick<ParentChoice, 'parent'>,
): ParentChoice {
  if (driver === 'macvlan') return { driver, mode: choice(generic, 'macvlan_mode', MACVLAN_MODES), ...parent };
  return {
    ...{ driver, mode: choice(generic, 'ipvlan_mode', IPVLAN_MODES) },
    flag: choice(generic, 'ipvlan_flag', IPVLAN_FLAGS),
    ...parent,
  };
}

/** Undefined where it is not asked for. Throws NetError `invalid-config` where the host cannot reach such interfaces. */
function hostAccessIn(generic: TextMap, own: ParentChoice): true | undefined {
  const key = 'host_access';
  const { [key]: value = '' } = generic;
  if (value === '' || value === 'false') return undefined;
  if (value !== 'true') throw refused(generic, key, 'it is neither true nor false', 'Give true or false');
  if (own.parent === undefined) {
    throw refused(generic, key, 'a network without a parent has no way to the host', 'Add -o parent=');
  }
  const isReachable = own.driver === 'macvlan' ? own.mode === 'bridge' : own.mode === 'l2' && own.flag === 'bridge';
  if (isReachable) return true;
  const wanted = own.driver === 'macvlan' ? 'macvlan_mode=bridge' : 'ipvlan_mode=l2 and ipvlan_flag=bridge';
  throw refused(generic, key, 'the host cannot reach interfaces of this mode', `Use ${wanted}, or leave it out`);
}

/** The options on record. Docker's drivers name the link that leads nowhere so too. */
export function parentedOptions(
  { parent, hostAccess: hasAccess, ...own }: ParentChoice,
  { networkId, internal, ...request }: CreateNetworkRequest,
  { mtu, ranges }: { readonly mtu: number | undefined; readonly ranges: NetworkSpec['ranges'] },
): ParentedOptions {
  const made = parent === undefined ? ({ kind: 'dummy' } as const) : madeVlan(parent);
  return {
    ...own,
    offered: true,
    master: parent ?? `${own.driver === 'macvlan' ? 'dm' : 'di'}-${networkId.slice(0, 12)}`,
    linkInContainer: false,
    ...given({ mtu, made, hostAccess: hasAccess && hostAccessOf(ranges, hostAddresses(request)) }),
    ...(internal || parent === undefined ? { internal: true } : {}),
  };
}

/** Name of the auxiliary addresses that the host has on a network that it has access to. */
const AUX_HOST = 'host';

/** Docker's IPAM keeps auxiliary addresses from containers, and those alone. */
function hostAddresses({ ipv4, ipv6 }: Pick<CreateNetworkRequest, 'ipv4' | 'ipv6'>): RequestedHostAddress[] {
  return [...ipv4, ...ipv6].map(({ pool, auxAddresses }) => {
    const address = auxAddresses[AUX_HOST]?.addr;
    const subject = `--aux-address ${AUX_HOST}=`;
    if (address !== undefined) return { address, subject: `${subject}${formatAddr(address)}` };
    const what = `-o host_access=true needs an address of ${formatPrefix(pool)} for the host`;
    throw fault.invalidConfig('network', subject, what, 'Give one that no container and nobody on the LAN has');
  });
}

/** True if containers reach other networks by a gateway on the parent's network. */
export function hasRouter(choice: ParentChoice | undefined): boolean {
  return choice === undefined || (choice.parent !== undefined && !isRouted(choice));
}

/** True for modes in which the interface resolves nothing: whatever a container sends goes to the parent. */
export function isRouted({ mode }: Pick<ParentedOptions, 'mode'>): boolean {
  return mode === 'l3' || mode === 'l3s';
}

/** Throws NetError `invalid-config` for a MAC that the interface cannot have. */
export function assertMac({ driver }: { readonly driver: string }, { mac, endpointId }: CreateEndpointRequest): void {
  if (driver !== 'ipvlan' || mac === undefined) return;
  const what = 'an ipvlan has the MAC of its parent';
  throw fault.invalidConfig('endpoint', `${endpointId.slice(0, 12)} --mac-address ${mac}`, what, 'Leave it out');
}

function parentIn(generic: TextMap): string | undefined {
  const { parent = '' } = generic;
  if (parent === '') return undefined;
  const wrong = ifNameFault(parent);
  if (wrong !== undefined) throw refused(generic, 'parent', `it ${wrong}`, 'Give the name of an interface: ip link');
  return parent;
}

function choice<T extends string>(generic: TextMap, key: string, values: readonly [T, ...T[]]): T {
  const { [key]: value = '' } = generic;
  const found = value === '' ? values[0] : values.find((one) => one === value);
  if (found !== undefined) return found;
  const meant = nearest(value, values);
  const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}Give one of ${values.join(', ')}`;
  throw refused(generic, key, `it is no ${key.replace('_', ' ')}`, hint);
}

function refused(generic: TextMap, key: string, what: string, hint: string): NetError {
  return fault.invalidConfig('network', `-o ${key}=${generic[key]}`, what, hint);
}
