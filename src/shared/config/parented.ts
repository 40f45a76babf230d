import type { IpvlanOptions } from './ipvlan.ts';
import type { MacvlanOptions } from './macvlan.ts';

/** A parent that the network makes where the host lacks it, and deletes: a VLAN of `dev`, or a link that leads nowhere. */
export type MadeParent =
  | { readonly kind: 'vlan'; readonly dev: string; readonly id: number }
  | { readonly kind: 'dummy' };

/** Options of a network whose endpoints are links on one parent of the host, until another moves them to a sandbox. */
export type ParentedOptions = (MacvlanOptions | IpvlanOptions) & {
  /** The links are made on the host. */
  readonly offered: true;
  /** The parent. */
  readonly master: string;
  /** Absent: the host has it, or the network has none. */
  readonly made?: MadeParent;
  /** No gateway leads out of it. */
  readonly internal?: true;
};

/** Undefined for options of other networks, such as those whose links are made in sandboxes. */
export function parentedOf(options: NetworkDriverOptions | undefined): ParentedOptions | undefined {
  return options !== undefined && 'offered' in options ? (options as ParentedOptions) : undefined;
}

type NetworkDriverOptions = { readonly driver: string } & Partial<Pick<ParentedOptions, 'offered'>>;

/** True for the drivers of networks on a parent. */
export function isOnParent(driver: string): boolean {
  return driver === 'macvlan' || driver === 'ipvlan';
}

/** VLAN ids that a link can have: 0 marks priority only, 4095 is reserved (IEEE 802.1Q, table 9-2). */
export const VLAN_IDS = { first: 1, last: 4094 } as const;

/** The VLAN that Docker makes under such a name: `eth0.10`. The id may be one that no link can have. */
export function vlanNamed(name: string): { readonly dev: string; readonly id: number } | undefined {
  const [, dev, id] = /^(.+)\.(0|[1-9]\d{0,8})$/.exec(name) ?? [];
  return dev === undefined ? undefined : { dev, id: Number(id) };
}

export function madeVlan(name: string): MadeParent | undefined {
  const vlan = vlanNamed(name);
  const isPossible = vlan !== undefined && vlan.id >= VLAN_IDS.first && vlan.id <= VLAN_IDS.last;
  return isPossible ? { kind: 'vlan', ...vlan } : undefined;
}
