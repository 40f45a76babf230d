import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import { formatAddr } from '../model/addr.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Core } from './core.ts';

/** The boot in which a state was lost while networks were up: the packet filter may hold what no record tells of. */
const NOTE = 'rules without a record';

export function noteLostRules({ host, store }: Core): void {
  store.notes.put(NOTE, host.identity.bootId);
}

/** An endpoint that was rebuilt from its interface has no record of its published ports: they are known by address. */
export async function forgetLostPorts(core: Core, row: Endpoint | undefined): Promise<NetError[]> {
  if (row?.kind !== 'recalled' || row.scope === undefined) return [];
  const addresses = core.store.leases.list(row.scope, row.attachment).map(({ address }) => formatAddr(address));
  return addresses.length === 0
    ? []
    : await eachBackend(core, async (firewaller) => await firewaller.removeByAddress(addresses));
}

/** With the last network of a host whose state was lost, everything of ours in the packet filter goes. */
export async function sweepLostRules(core: Core): Promise<NetError[]> {
  const { host, store } = core;
  if (store.networks.list().length > 0 || store.notes.get(NOTE) !== host.identity.bootId) return [];
  const errors = await eachBackend(core, async (firewaller) => {
    await firewaller.reset([]);
    return [];
  });
  if (errors.length === 0) store.notes.put(NOTE, '');
  return errors;
}

/** A filter that the host does not have holds nothing. */
async function eachBackend(core: Core, work: (firewaller: Firewaller) => Promise<NetError[]>): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const backend of ['nftables', 'iptables'] as const) {
    try {
      errors.push(...(await work(core.firewall(backend))));
    } catch (thrown) {
      const error = asNetError(thrown, 'firewall');
      if (error.kind !== 'unsupported') errors.push(error);
    }
  }
  return errors;
}
