import { badOp, opError } from '../host/failure.ts';
import type { Op } from '../model/op.ts';
import { parsePrefix } from '../model/prefix.ts';
import type { RuleSpec, RuleState } from '../model/rule.ts';
import { EEXIST, ENOENT } from '../netlink/constants.ts';
import type { FakeNetns } from './fake-netns.ts';

type RuleOp = Extract<Op, { op: 'rule.add' | 'rule.delete' }>;

export function changeFakeRule(op: RuleOp, ns: FakeNetns): void {
  const { rule } = op;
  if (rule.from !== undefined && parsePrefix(rule.from)?.addr.family !== rule.family)
    throw badOp(op, `${JSON.stringify(rule.from)} is not an IPv${rule.family} address with a prefix length`);
  if (op.op === 'rule.add') addRule(op, ns);
  else deleteRule(op, ns);
}

/** Without a priority it is never the same as another: net/core/fib_rules.c, rule_exists. */
function addRule(op: RuleOp, ns: FakeNetns): void {
  const { rule } = op;
  const made: RuleState = {
    ...rule,
    priority: rule.priority ?? defaultPriority(ns, rule.family),
    protocol: rule.protocol ?? 0,
  };
  const isSame = (other: RuleState): boolean =>
    other.family === made.family &&
    other.from === made.from &&
    other.table === made.table &&
    other.priority === made.priority &&
    other.protocol === made.protocol;
  if (ns.rules.some(isSame)) throw opError(op, EEXIST);
  ns.rules = [...ns.rules, made].sort((a, b) => a.family - b.family || a.priority - b.priority);
}

/** net/core/fib_rules.c, fib_default_rule_pref. */
function defaultPriority(ns: FakeNetns, family: 4 | 6): number {
  const second = ns.rules.filter((rule) => rule.family === family)[1]?.priority ?? 0;
  return Math.max(0, second - 1);
}

/** Absent keys match any rule. */
function deleteRule(op: RuleOp, ns: FakeNetns): void {
  const { family, from, table, priority, protocol }: RuleSpec = op.rule;
  const found = ns.rules.find(
    (rule) =>
      rule.family === family &&
      rule.table === table &&
      (from === undefined || rule.from === from) &&
      (priority === undefined || rule.priority === priority) &&
      (protocol === undefined || rule.protocol === protocol),
  );
  if (found === undefined) throw opError(op, ENOENT);
  ns.rules = ns.rules.filter((rule) => rule !== found);
}
