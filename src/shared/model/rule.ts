/** A policy routing rule: which table to look up. Equivalent: `ip rule add from X table T`. */
export interface RuleSpec {
  readonly family: 4 | 6;
  /** Prefix of the source address; absent: any. */
  readonly from?: string;
  readonly table: number;
  /** The kernel tries lower ones first. Absent: one below the second rule's. */
  readonly priority?: number;
  /** RTPROT_*: who added the rule. */
  readonly protocol?: number;
}

export interface RuleState extends RuleSpec {
  readonly priority: number;
  readonly protocol: number;
  /** True for a rule with selectors or options that RuleSpec does not describe. */
  readonly isSpecial?: boolean;
}

/** `rule from 10.5.0.2/32 table 100`. */
export function ruleText({ from = 'all', table }: RuleSpec): string {
  return `rule from ${from} table ${table}`;
}
