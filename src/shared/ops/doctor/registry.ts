import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';
import type { Rule } from './rule.ts';
import { ADDRESS_RULES } from './rules/addresses.ts';
import { DAEMON_RULES } from './rules/daemon.ts';
import { ENDPOINT_RULES } from './rules/endpoints.ts';
import { FILE_RULES } from './rules/files.ts';
import { KERNEL_RULES } from './rules/kernel.ts';
import { NETWORK_RULES } from './rules/network.ts';

/** All rules, the most likely causes first. */
export const RULES: readonly Rule[] = [
  ...DAEMON_RULES,
  ...FILE_RULES,
  ...NETWORK_RULES,
  ...ENDPOINT_RULES,
  ...ADDRESS_RULES,
  ...KERNEL_RULES,
];

/** A network or a container that is asked about. */
export interface Scope {
  readonly networks: readonly string[];
  readonly containers: readonly string[];
}

/** Returns what the rules find, errors first. With a scope, leaves out what concerns others only. */
export function diagnose(facts: Facts, scope?: Scope): Finding[] {
  const found = RULES.flatMap(({ name, check }) => check(facts).map((one): Finding => ({ rule: name, ...one })));
  const concerned = scope === undefined ? found : found.filter((one) => concerns(one, scope));
  return concerned.toSorted((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'));
}

function concerns({ networks, containers }: Finding, scope: Scope): boolean {
  if (containers !== undefined && scope.containers.length > 0)
    return containers.some((id) => scope.containers.includes(id));
  return networks === undefined || networks.some((name) => scope.networks.includes(name));
}
