import { parseFirewall } from '../../src/shared/config/firewall.ts';
import { addChained, checkChained, deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { assertRules, ensureChainedRules } from '../../src/shared/core/networks/rules.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import { chosenBackend } from '../../src/shared/firewall/open.ts';
import { EMPTY_PLAN } from '../../src/shared/model/op.ts';
import { deviceTowards, ownAddressing } from './chain.ts';
import type { ChainedPlugin } from './chained.ts';
import { attachmentOf, type Call } from './request.ts';

const role = 'firewall';

/** The reference firewall plugin: the pod's traffic passes where others drop it, and `ingressPolicy` holds. */
export const firewall: ChainedPlugin = {
  role,

  async add(call, core, previous) {
    const rules = rulesOf(call);
    const attachment = attachmentOf(call);
    const { netns, ifName, ownNamespace } = call.variables;
    const addressing = ownAddressing(previous, ifName);
    const device = deviceTowards(core, previous, addressing);
    if (addressing.addresses.length === 0 || device === undefined) return previous;
    await addChained(core, {
      attachment,
      role,
      netns,
      ownNamespace,
      plan: () => EMPTY_PLAN,
      ensure: () => ensureChainedRules(core, attachment.network, device, rules, addressing),
    });
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  async check(call, core, previous) {
    const addressing = ownAddressing(previous, call.variables.ifName);
    const device = deviceTowards(core, previous, addressing);
    if (addressing.addresses.length === 0 || device === undefined) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
    await assertRules(core, rulesOf(call), device, addressing);
  },

  validate: (call) => void rulesOf(call),
};

/** The reference's backends are iptables and firewalld; ours is what the host has, unless iptables is asked for. */
function rulesOf({ config }: Call): Rules {
  const backend = config.backend === 'firewalld' ? 'auto' : config.backend;
  const options = parseFirewall({ ...config, ipMasq: false, backend });
  return { backend: chosenBackend(options.backend), options, mappings: [], admit: true };
}
