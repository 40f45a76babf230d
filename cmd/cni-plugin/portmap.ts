import { field } from '../../src/shared/config/fields.ts';
import { parseFirewall } from '../../src/shared/config/firewall.ts';
import { parsePortMappings } from '../../src/shared/config/port-mappings.ts';
import { addChained, type ChainedPart, checkChained } from '../../src/shared/core/chained.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { assertRules, ensureChainedRules } from '../../src/shared/core/network-rules.ts';
import { assertPortsFree, claimPorts } from '../../src/shared/core/publish.ts';
import { planPorts, portEntries, type Rules } from '../../src/shared/drivers/rules.ts';
import { chosenBackend } from '../../src/shared/firewall/open.ts';
import { deviceTowards, ownAddressing, requirePrevious } from './chain.ts';
import { attachmentOf, type Call } from './request.ts';
import { formatResult } from './result.ts';

/** portmap: the host ports that the runtime names lead to the pod that a plugin before this one made. */
export async function addPortmap(call: Call, core: Core): Promise<unknown> {
  const previous = requirePrevious(call);
  const rules = rulesOf(call);
  if (rules.mappings.length === 0) return formatResult(previous, call.version);
  const attachment = attachmentOf(call);
  const { network } = attachment;
  const { netns, ifName, ownNamespace } = call.variables;
  const addressing = ownAddressing(previous, ifName);
  const entries = portEntries(rules, addressing);
  assertPortsFree(core, rules, attachment);
  await addChained(core, {
    attachment,
    role: 'portmap',
    netns,
    ownNamespace,
    plan: () => planPorts(rules.backend, entries),
    ensure: () => ensureChainedRules(core, network, deviceTowards(core, addressing), rules, addressing),
    claim: (store) => claimPorts(store, rules, attachment),
    claimsPorts: true,
  });
  return formatResult(previous, call.version);
}

/** CHECK of portmap: the ports of this attachment and what the network needs for them are in force. */
export function checkPortmap(call: Call, core: Core): void {
  const previous = requirePrevious(call);
  const rules = rulesOf(call);
  if (rules.mappings.length === 0) return;
  checkChained(core, portmapPart(call), call.variables.netns);
  const addressing = ownAddressing(previous, call.variables.ifName);
  assertRules(core, rules, deviceTowards(core, addressing), addressing);
}

export function portmapPart(call: Call): ChainedPart {
  return { attachment: attachmentOf(call), role: 'portmap' };
}

function rulesOf({ config }: Call): Rules {
  const options = { ...parseFirewall(config), policy: 'open' as const };
  const mappings = parsePortMappings(field(field(config, 'runtimeConfig'), 'portMappings'));
  return { backend: chosenBackend(options.backend), options, mappings, admit: false };
}
