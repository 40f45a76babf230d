import { field } from '../../src/shared/config/fields.ts';
import { parseFirewall } from '../../src/shared/config/firewall.ts';
import { invalid } from '../../src/shared/config/invalid.ts';
import { parsePortMappings } from '../../src/shared/config/port-mappings.ts';
import { addChained, checkChained, deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { assertRules, ensureChainedRules } from '../../src/shared/core/networks/rules.ts';
import { assertPortsFree, claimPorts, type Publishing, planOwnPorts } from '../../src/shared/core/ports/publish.ts';
import { portEntries, type Rules } from '../../src/shared/drivers/rules.ts';
import { chosenBackend } from '../../src/shared/firewall/open.ts';
import { EMPTY_PLAN } from '../../src/shared/model/op.ts';
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
    const device = deviceTowards(core, previous, addressing);
    const ensure =
      device === undefined
        ? {}
        : { ensure: () => ensureChainedRules(core, attachment.network, device, rules, addressing) };
    let publishing: Publishing = { plan: EMPTY_PLAN, standby: {} };
    await addChained(core, {
      attachment,
      role,
      netns,
      ownNamespace,
      plan: () => {
        publishing = planOwnPorts(core.store, rules, attachment, entries);
        return publishing.plan;
      },
      standby: () => publishing.standby,
      ...ensure,
      // Another endpoint's name says more than that of the process which holds the port for it.
      claim: (store) => {
        claimPorts(store, rules, attachment);
        assertPortsFree(core, rules, attachment);
      },
      claimsPorts: true,
    });
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  async check(call, core, previous) {
    const rules = rulesOf(call);
    if (rules.mappings.length === 0) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
    const addressing = ownAddressing(previous, call.variables.ifName);
    const device = deviceTowards(core, previous, addressing);
    if (device !== undefined) await assertRules(core, rules, device, addressing);
  },

  validate: (call) => void rulesOf(call),
};

function rulesOf({ config }: Call): Rules {
  const options = { ...parseFirewall({ ...config, ipMasq: false }), policy: 'open' as const };
  const mappings = parsePortMappings(field(field(config, 'runtimeConfig'), 'portMappings'));
  const backend = chosenBackend(options.backend);
  if (backend !== 'none' || mappings.length === 0) return { backend, options, mappings, admit: false };
  throw invalid('.backend', backend, 'host ports need a packet filter', 'Choose auto, nftables or iptables');
}
