import { NetError } from '../errors/net-error.ts';
import { formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import type { Op } from '../model/op.ts';
import { parsePrefix } from '../model/prefix.ts';
import type { RuleState } from '../model/rule.ts';
import {
  AF_INET,
  AF_INET6,
  EAFNOSUPPORT,
  EOPNOTSUPP,
  FIB_RULE_INVERT,
  FR_ACT_TO_TBL,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
} from '../netlink/constants.ts';
import type { Message } from '../netlink/message.ts';
import { type RuleMessage, rule } from '../netlink/rule.ts';
import type { Request } from '../netlink/socket.ts';
import { badOp } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

type RuleOp = Extract<Op, { op: 'rule.add' | 'rule.delete' }>;

const FAMILIES = [AF_INET, AF_INET6] as const;

export function changeRule(op: RuleOp): Request {
  const { family, from, table, priority, protocol } = op.rule;
  const prefix = from === undefined ? undefined : parsePrefix(from);
  if (from !== undefined && prefix?.addr.family !== family)
    throw badOp(op, `${JSON.stringify(from)} is not an IPv${family} address with a prefix length`);
  const payload = rule.encode({
    header: {
      family: family === 4 ? AF_INET : AF_INET6,
      srcLength: prefix?.length ?? 0,
      // A larger number has an attribute of its own.
      table: table > 255 ? 0 : table,
      action: FR_ACT_TO_TBL,
    },
    attrs: {
      src: prefix === undefined || prefix.length === 0 ? undefined : formatAddr(prefix.addr),
      priority,
      table: table > 255 ? table : undefined,
      protocol,
    },
  });
  if (op.op === 'rule.delete') return { type: RTM_DELRULE, payload };
  return { type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, payload };
}

/** Reads the rules that name a table, IPv4 first, by priority. */
export function readRules(ns: LinuxNamespace): RuleState[] {
  return FAMILIES.flatMap((family) =>
    dumpRules(ns, family).flatMap(({ payload }) => {
      const message = rule.decode(payload);
      const state = message?.header.family === family ? ruleState(message) : undefined;
      return state ?? [];
    }),
  );
}

/** Nothing on a kernel without IPv6. */
function dumpRules(ns: LinuxNamespace, family: number): Message[] {
  try {
    return ns.route.dump({ type: RTM_GETRULE, payload: rule.encode({ header: { family }, attrs: {} }) });
  } catch (error) {
    if (error instanceof NetError && (error.errno === EAFNOSUPPORT || error.errno === EOPNOTSUPP)) return [];
    throw error;
  }
}

/** Every attribute without a row of the schema is a selector or an option. */
function ruleState({ header, attrs }: RuleMessage): RuleState | undefined {
  const { src, priority = 0, protocol = 0, suppressPrefixLength = -1, table = header.table } = attrs;
  if (header.action !== FR_ACT_TO_TBL || table === 0) return undefined;
  const isSpecial =
    header.tos !== 0 ||
    (header.flags & FIB_RULE_INVERT) !== 0 ||
    suppressPrefixLength !== -1 ||
    Object.keys(attrs).some((key) => key.startsWith('#'));
  return {
    family: header.family === AF_INET ? 4 : 6,
    ...given({ from: src === undefined ? undefined : `${src}/${header.srcLength}` }),
    table,
    priority,
    protocol,
    ...(isSpecial ? { isSpecial } : {}),
  };
}
