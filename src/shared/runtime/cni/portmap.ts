import { invalid } from '../../config/invalid.ts';
import { type Core, restBetween } from '../../core/core.ts';
import { addChained, type ChainedRequest, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { assertRules, ensureChainedRules, ownRules } from '../../core/networks/rules.ts';
import { claimPorts, describePorts, tellRelays } from '../../core/ports/publish.ts';
import { assertPortsFree, lookAtMappings, naming } from '../../core/ports/seen.ts';
import type { Addressing } from '../../drivers/driver.ts';
import { relaysOf } from '../../drivers/relays.ts';
import { portEntries, type Rules } from '../../drivers/rules.ts';
import { chosenBackend } from '../../firewall/open.ts';
import { given } from '../../model/given.ts';
import { type ChainedCall, type ChainedPlugin, deviceTowards, ownAddressing } from './chain.ts';
import { attachmentOf, type PluginCall } from './request.ts';

const role = 'portmap';

/** The role of the part that publishes ports. */
export const portsRole: typeof role = role;

/** The reference portmap plugin: publishes the runtime's host ports for a pod that an earlier plugin created. */
export const portmap: ChainedPlugin<typeof role> = {
  role,

  async add(call, core, previous) {
    const rules = rulesOf(call.config);
    if (rules.mappings.length === 0) return previous;
    const addressing = ownAddressing(previous, call.variables.ifName);
    await publishPorts(call, core, rules, deviceTowards(core, previous, addressing), addressing);
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  async check(call, core, previous) {
    const rules = rulesOf(call.config);
    if (rules.mappings.length === 0) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
    const addressing = ownAddressing(previous, call.variables.ifName);
    const device = deviceTowards(core, previous, addressing);
    if (device !== undefined) await assertRules(core, attachmentOf(call).network, rules, device, addressing);
  },

  validate: (config) => void rulesOf(config),
};

/** Publishes the ports of an attachment, through `device` of the host. */
export async function publishPorts(
  call: PluginCall,
  core: Core,
  rules: Rules,
  device: string | undefined,
  addressing: Addressing,
): Promise<void> {
  const attachment = attachmentOf(call);
  const { netns, ownNamespace } = call.variables;
  const entries = portEntries(rules, addressing);
  const relays = relaysOf(rules, addressing);
  const own = ownRules(core, attachment, device, rules, addressing);
  const ensure =
    device === undefined || own !== undefined
      ? {}
      : { ensure: () => ensureChainedRules(core, attachment.network, device, rules, addressing) };
  const { mappings } = rules;
  await restBetween(core, mappings.length);
  const seen = await lookAtMappings(core, mappings, attachment);
  await restBetween(core, mappings.length);
  const request: ChainedRequest = {
    attachment,
    role,
    netns,
    ownNamespace,
    describe: () => ({
      kind: 'ports',
      ...describePorts(core.store, rules, attachment, entries, relays),
      ...given({ rules: own }),
    }),
    ...ensure,
    // The name of the other endpoint is more useful than the name of the process that holds its port.
    claim: (store) => {
      claimPorts(store, rules, attachment);
      // As the reference, for any address: keepalived may bring it later.
      const anyAddress = rules.mappings.flatMap(({ hostIp }) => hostIp ?? []);
      assertPortsFree(seen, rules.mappings, anyAddress);
    },
  };
  await naming(core, seen, () => addChained(core, request));
  tellRelays(core, attachment, relays);
}

function rulesOf({ firewall: options, mappings }: ChainedCall<typeof role>['config']): Rules {
  const backend = chosenBackend(options.backend);
  if (backend !== 'none' || mappings.length === 0) return { backend, options, mappings, admit: false };
  throw invalid('.backend', backend, 'host ports need a packet filter', 'Choose auto, nftables or iptables');
}
