import type { RouteSpec } from './link.ts';
import type { RuleSpec } from './rule.ts';

/** Routing by source address. */
export interface SbrFacts {
  readonly rules: readonly RuleSpec[];
  /** In the tables of the rules. */
  readonly routes: readonly RouteSpec[];
  /** What the main table had of the interface, without protocol. DEL puts it back. */
  readonly taken: readonly RouteSpec[];
}

/** The interface as a member of a VRF in the sandbox. */
export interface VrfFacts {
  readonly vrf: string;
  readonly table: number;
  /** The part makes the VRF. */
  readonly isNew?: true;
  /** The prior value of the interface's keep_addr_on_down; absent on a kernel without IPv6. */
  readonly keepAddresses?: string;
  /** What the main table had of the interface, but for the kernel's own routes. */
  readonly routes: readonly RouteSpec[];
}
