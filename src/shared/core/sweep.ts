import { asNetError, type NetError } from '../errors/net-error.ts';
import { entryKey, type FirewallBackend } from '../model/firewall.ts';
import type { Core } from './core.ts';
import { desiredEntries, type Entries } from './desired.ts';

/**
 * The packet filter has nothing of ours that no record wants: neither a ready part nor one whose transition is under
 * way. Adds nothing. Goes on after a failure and returns all of them.
 */
export async function sweepEntries(core: Core): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const backend of entriesOnRecord(core).keys()) {
    try {
      await sweepBackend(core, backend);
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return errors;
}

/**
 * Records are read and the filter is reset in one transaction of the store: a transition journals before it touches the
 * filter, so that none can begin in between.
 */
async function sweepBackend(core: Core, backend: FirewallBackend): Promise<void> {
  const firewaller = core.firewall(backend);
  await core.store.transaction(() => {
    const wanted = entriesOnRecord(core).get(backend) ?? [];
    const missing = new Set(firewaller.missing(wanted).map(entryKey));
    return firewaller.reset(wanted.filter((entry) => !missing.has(entryKey(entry))));
  });
}

function entriesOnRecord({ host, store }: Core): Entries {
  const { bootId } = host.identity;
  const networks = store.networks.list().filter((row) => row.bootId === bootId);
  return desiredEntries(networks, store.endpoints.list());
}
