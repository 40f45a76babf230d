import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import { formatAddr } from '../model/addr.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Core } from './core.ts';

/**
 * Note with the boot in which the state was lost while networks were up: the packet filter may hold entries without a
 * record.
 */
const NOTE = 'rules without a record';

export function noteLostRules({ host, store }: Core): void {
  store.notes.put(NOTE, host.identity.bootId);
}

/** Deletes the published ports of a recalled endpoint by its addresses, since its record lists no ports. */
export async function deleteLostPorts(core: Core, row: Endpoint | undefined): Promise<NetError[]> {
  if (row?.kind !== 'recalled' || row.scope === undefined) return [];
  const addresses = core.store.leases.list(row.scope, row.attachment).map(({ address }) => formatAddr(address));
  return addresses.length === 0
    ? []
    : await eachBackend(core, async (firewaller) => await firewaller.removeByAddress(addresses));
}

/** Deletes all of our packet filter entries once the last network is gone, on a host whose state was lost. */
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

/** Skips a backend that the host does not have. */
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
