import type { IpvlanOptions } from '../../../src/shared/config/ipvlan.ts';
import type { MacvlanOptions } from '../../../src/shared/config/macvlan.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';
import { madeVlan, type ParentedOptions } from '../../../src/shared/config/parented.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import { ifNameFault } from '../../../src/shared/model/link.ts';
import type { CreateEndpointRequest, CreateNetworkRequest, TextMap } from './wire/messages.ts';

/** Options of drivers `macvlan` and `ipvlan` that the user gives, with Docker's names and defaults. */
export type ParentChoice = (
  | Pick<MacvlanOptions, 'driver' | 'mode'>
  | Pick<IpvlanOptions, 'driver' | 'mode' | 'flag'>
) & {
  /** Absent: a link that leads nowhere, which the network makes. */
  readonly parent?: string;
};

/** Options that only these drivers have. */
export const PARENT_KEYS = ['parent', 'macvlan_mode', 'ipvlan_mode', 'ipvlan_flag'] as const;

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
    const [of = 'macvlan'] = foreign.includes('_') ? foreign.split('_') : [];
    const what = `only driver ${foreign === 'parent' ? 'macvlan or ipvlan' : of} has this option`;
    throw refused(generic, foreign, what, `Add -o driver=${of}`);
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
  if (driver === 'macvlan') return { driver, mode: choice(generic, 'macvlan_mode', MACVLAN_MODES), ...parent };
  return {
    ...{ driver, mode: choice(generic, 'ipvlan_mode', IPVLAN_MODES) },
    flag: choice(generic, 'ipvlan_flag', IPVLAN_FLAGS),
    ...parent,
  };
}

/** The options on record. Docker's drivers name the link that leads nowhere so too. */
export function parentedOptions(
  { parent, ...own }: ParentChoice,
  { networkId, internal }: Pick<CreateNetworkRequest, 'networkId' | 'internal'>,
  mtu: number | undefined,
): ParentedOptions {
  const made = parent === undefined ? ({ kind: 'dummy' } as const) : madeVlan(parent);
  return {
    ...own,
    offered: true,
    master: parent ?? `${own.driver === 'macvlan' ? 'dm' : 'di'}-${networkId.slice(0, 12)}`,
    linkInContainer: false,
    ...given({ mtu, made }),
    ...(internal || parent === undefined ? { internal: true } : {}),
  };
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
