import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import { formatAddr } from '../model/addr.ts';
import { hostIfName } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Core } from './core.ts';
import type { RemovalRequest } from './requests.ts';

/**
 * Note with the boot in which the state was lost while networks were up: the packet filter may hold entries without a
 * record.
 */
const NOTE = 'rules without a record';

export function noteLostRules({ host, store }: Core): void {
  store.notes.put(NOTE, host.identity.bootId);
}

/**
 * Deletes the entries of an endpoint whose record does not list them: those of a recalled one, by its addresses and its
 * interface; without a record, the guard of the interface that it would have.
 */
export async function deleteLostEntries(
  core: Core,
  row: Endpoint | undefined,
  { attachment, orphans, role }: RemovalRequest,
): Promise<NetError[]> {
  if (row === undefined) {
    return role !== 'interface' || orphans === 'none' ? [] : await deleteStrayGuard(core, hostIfName(attachment));
  }
  if (row.kind !== 'recalled') return [];
  const errors = await deleteStrayGuard(core, row.hostIf);
  if (row.scope === undefined) return errors;
  const addresses = core.store.leases.list(row.scope, row.attachment).map(({ address }) => formatAddr(address));
  if (addresses.length === 0) return errors;
  return [...errors, ...(await eachBackend(core, async (firewaller) => await firewaller.removeStray({ addresses })))];
}

/** Deletes the guard of a bridge port without a record. */
export async function deleteStrayGuard(core: Core, port: string): Promise<NetError[]> {
  return await core.firewall('bridge').removeStray({ port });
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
  for (const backend of ['nftables', 'iptables', 'bridge'] as const) {
    try {
      errors.push(...(await work(core.firewall(backend))));
    } catch (thrown) {
      const error = asNetError(thrown, 'firewall');
      if (error.kind !== 'unsupported') errors.push(error);
    }
  }
  return errors;
}
