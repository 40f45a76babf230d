import { parseFirewallPlugin } from '../../config/firewall-plugin.ts';
import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { assertRules, ensureChainedRules } from '../../core/networks/rules.ts';
import type { Rules } from '../../drivers/rules.ts';
import { chosenBackend } from '../../firewall/open.ts';
import { type ChainedPlugin, deviceTowards, ownAddressing } from './chain.ts';
import { attachmentOf, type Call } from './request.ts';

const role = 'firewall';

/** The reference firewall plugin: accepts the pod's traffic where others drop it, and applies `ingressPolicy`. */
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
      describe: () => ({ kind: 'firewall' }),
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

/** The reference's backends are iptables and firewalld; ours is the host's default, unless iptables is requested. */
function rulesOf({ config }: Call): Rules {
  const { rules: options } = parseFirewallPlugin(config);
  // The reference's `open` accepts replies only; here that is the default of `"type": "isthmus"`.
  const policy = options.policy === 'reachable' ? 'open' : options.policy;
  return { backend: chosenBackend(options.backend), options: { ...options, policy }, mappings: [], admit: true };
}
