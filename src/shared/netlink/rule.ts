import { attr, body } from './attrs.ts';
import { ip, s32, u8, u32 } from './codec.ts';

/** linux/fib_rules.h, struct fib_rule_hdr. */
const FIB_RULE_HDR = {
  family: 'u8',
  dstLength: 'u8',
  srcLength: 'u8',
  tos: 'u8',
  table: 'u8',
  _reserved1: 'u8',
  _reserved2: 'u8',
  action: 'u8',
  flags: 'u32',
} as const;

/** linux/fib_rules.h, FRA_*. */
const RULE_ATTRS = {
  src: attr(2, ip),
  priority: attr(6, u32),
  suppressPrefixLength: attr(14, s32),
  table: attr(15, u32),
  protocol: attr(21, u8),
};

/** RTM_NEWRULE, RTM_GETRULE, RTM_DELRULE. */
export const rule = body(FIB_RULE_HDR, RULE_ATTRS);

export type RuleMessage = NonNullable<ReturnType<typeof rule.decode>>;
