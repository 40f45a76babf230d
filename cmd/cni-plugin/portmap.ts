import { field } from '../../src/shared/config/fields.ts';
import { parseFirewall } from '../../src/shared/config/firewall.ts';
import { parsePortMappings } from '../../src/shared/config/port-mappings.ts';
import { addChained, checkChained, deleteChained } from '../../src/shared/core/chained.ts';
import { assertRules, ensureChainedRules } from '../../src/shared/core/network-rules.ts';
import { assertPortsFree, claimPorts } from '../../src/shared/core/publish.ts';
import { planPorts, portEntries, type Rules } from '../../src/shared/drivers/rules.ts';
import { chosenBackend } from '../../src/shared/firewall/open.ts';
import { deviceTowards, ownAddressing } from './chain.ts';
import type { ChainedPlugin } from './chained.ts';
import { attachmentOf, type Call } from './request.ts';

const role = 'portmap';

/** The reference portmap plugin: host ports that the runtime names lead to the pod that a plugin before made. */
export const portmap: ChainedPlugin = {
  role,

  async add(call, core, previous) {
    const rules = rulesOf(call);
    if (rules.mappings.length === 0) return previous;
    const attachment = attachmentOf(call);
    const { netns, ifName, ownNamespace } = call.variables;
    const addressing = ownAddressing(previous, ifName);
    const entries = portEntries(rules, addressing);
    assertPortsFree(core, rules, attachment);
    await addChained(core, {
      attachment,
      role,
      netns,
      ownNamespace,
      plan: () => planPorts(rules.backend, entries),
      ensure: () => ensureChainedRules(core, attachment.network, deviceTowards(core, addressing), rules, addressing),
      claim: (store) => claimPorts(store, rules, attachment),
      claimsPorts: true,
    });
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  check(call, core, previous) {
    const rules = rulesOf(call);
    if (rules.mappings.length === 0) return;
    checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
    const addressing = ownAddressing(previous, call.variables.ifName);
    assertRules(core, rules, deviceTowards(core, addressing), addressing);
  },

  validate: (call) => void rulesOf(call),
};

function rulesOf({ config }: Call): Rules {
  const options = { ...parseFirewall({ ...config, ipMasq: false }), policy: 'open' as const };
  const mappings = parsePortMappings(field(field(config, 'runtimeConfig'), 'portMappings'));
  return { backend: chosenBackend(options.backend), options, mappings, admit: false };
}
