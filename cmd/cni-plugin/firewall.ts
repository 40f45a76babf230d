import { parseFirewall } from '../../src/shared/config/firewall.ts';
import { addChained, type ChainedPart, checkChained } from '../../src/shared/core/chained.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { assertRules, ensureChainedRules } from '../../src/shared/core/network-rules.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import { chosenBackend } from '../../src/shared/firewall/open.ts';
import { EMPTY_PLAN } from '../../src/shared/model/op.ts';
import { deviceTowards, ownAddressing, requirePrevious } from './chain.ts';
import { attachmentOf, type Call } from './request.ts';
import { formatResult } from './result.ts';

/** firewall: the pod's traffic passes where others drop what they do not know, and `ingressPolicy` holds. */
export async function addFirewall(call: Call, core: Core): Promise<unknown> {
  const previous = requirePrevious(call);
  const rules = rulesOf(call);
  const attachment = attachmentOf(call);
  const { netns, ifName, ownNamespace } = call.variables;
  const addressing = ownAddressing(previous, ifName);
  if (addressing.addresses.length === 0) return formatResult(previous, call.version);
  const device = deviceTowards(core, addressing);
  await addChained(core, {
    attachment,
    role: 'firewall',
    netns,
    ownNamespace,
    plan: () => EMPTY_PLAN,
    ensure: () => ensureChainedRules(core, attachment.network, device, rules, addressing),
  });
  return formatResult(previous, call.version);
}

/** CHECK of firewall: what it let through still passes. */
export function checkFirewall(call: Call, core: Core): void {
  const addressing = ownAddressing(requirePrevious(call), call.variables.ifName);
  if (addressing.addresses.length === 0) return;
  checkChained(core, firewallPart(call), call.variables.netns);
  assertRules(core, rulesOf(call), deviceTowards(core, addressing), addressing);
}

export function firewallPart(call: Call): ChainedPart {
  return { attachment: attachmentOf(call), role: 'firewall' };
}

/** The reference has iptables and firewalld; ours is what the host has, unless iptables is asked for. */
function rulesOf({ config }: Call): Rules {
  const parsed = parseFirewall({
    ...config,
    ipMasq: false,
    backend: config.backend === 'firewalld' ? '' : config.backend,
  });
  return { backend: chosenBackend(parsed.backend), options: parsed, mappings: [], admit: true };
}
