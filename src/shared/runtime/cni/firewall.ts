import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { assertRules, ensureChainedRules, ownRules } from '../../core/networks/rules.ts';
import type { Addressing } from '../../drivers/driver.ts';
import type { Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import { chosenBackend, runsFirewalld } from '../../firewall/open.ts';
import { BITS, formatAddr } from '../../model/addr.ts';
import type { ZoneFacts } from '../../model/endpoint.ts';
import type { SourceEntry } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import { type ChainedCall, type ChainedPlugin, deviceTowards, ownAddressing } from './chain.ts';
import { attachmentOf } from './request.ts';

const role = 'firewall';

type Config = ChainedCall<typeof role>['config'];

/**
 * The reference firewall plugin: accepts the pod's traffic where others drop it, applies `ingressPolicy`, and puts the
 * pod's addresses into a zone of firewalld. Like the reference, uses firewalld if it runs and no other backend is named.
 */
export const firewall: ChainedPlugin<typeof role> = {
  role,

  async add(call, core, previous) {
    const { config } = call;
    const rules = rulesOf(config);
    const attachment = attachmentOf(call);
    const { netns, ifName, ownNamespace } = call.variables;
    const addressing = ownAddressing(previous, ifName);
    const device = deviceTowards(core, previous, addressing);
    const own = ownRules(core, attachment, device, rules, addressing);
    const sources = sourcesOf(config, addressing);
    if (addressing.addresses.length === 0 || (device === undefined && sources.length === 0)) return previous;
    let zone: ZoneFacts | undefined;
    await addChained(core, {
      attachment,
      role,
      netns,
      ownNamespace,
      look: async () => {
        if (sources.length === 0) return;
        const lacking = await core.firewall('firewalld').missing(sources);
        zone = { ...zoneOf(config), sources: lacking.flatMap((one) => (one.kind === 'source' ? [one.source] : [])) };
      },
      describe: () => ({ kind: 'firewall', ...given({ zone, rules: own }) }),
      ...(device === undefined || own !== undefined
        ? {}
        : { ensureLast: () => ensureChainedRules(core, attachment.network, device, rules, addressing) }),
    });
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  async check(call, core, previous) {
    const addressing = ownAddressing(previous, call.variables.ifName);
    const device = deviceTowards(core, previous, addressing);
    const sources = sourcesOf(call.config, addressing);
    if (addressing.addresses.length === 0 || (device === undefined && sources.length === 0)) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
    await assertSources(core.firewall('firewalld').missing(sources));
    if (device !== undefined)
      await assertRules(core, attachmentOf(call).network, rulesOf(call.config), device, addressing);
  },
};

/** Throws NetError `drift` for the first address that is not in its zone. An entry of the administrator counts too. */
async function assertSources(missing: Promise<readonly unknown[]>): Promise<void> {
  const [first] = (await missing) as readonly SourceEntry[];
  if (first === undefined) return;
  const hint = 'Run "isthmus reload", or DEL and ADD';
  throw fault.drift('CHECK', `source ${first.source}`, `it is not in zone ${first.zone} of firewalld`, hint);
}

/** The addresses as sources of the zone; none if firewalld is not asked for. Throws `unavailable` if it has to run. */
function sourcesOf(config: Config, { addresses }: Addressing): SourceEntry[] {
  const { name: zone, required } = zoneOf(config);
  if (config.zone === undefined) return [];
  if (!runsFirewalld()) {
    if (!required) return [];
    const hint = 'Start it, or leave out "backend": then firewalld is used while it runs';
    throw fault.unavailable('config', '.backend="firewalld"', 'firewalld does not run', hint);
  }
  return addresses.map(({ address: { addr } }) => {
    const source = `${formatAddr(addr)}/${BITS[addr.family]}`;
    return { kind: 'source', zone, source, ...given({ required }) };
  });
}

function zoneOf({ zone = '', requiresZone }: Config): Pick<ZoneFacts, 'name' | 'required'> {
  return { name: zone, ...given({ required: requiresZone }) };
}

function rulesOf({ firewall: options }: Config): Rules {
  // The reference's `open` accepts replies only; here that is the default of `"type": "isthmus"`.
  const policy = options.policy === 'reachable' ? 'open' : options.policy;
  return { backend: chosenBackend(options.backend), options: { ...options, policy }, mappings: [], admit: true };
}
