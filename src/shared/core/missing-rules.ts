import { entryKey, type FirewallBackend, type FirewallEntry } from '../model/firewall.ts';
import type { Core } from './core.ts';
import { desiredEntries, type Entries } from './desired.ts';
import { missingEntries } from './diff.ts';

type Wait = (ms: number) => Promise<unknown>;

/**
 * The packet filter entries that the records need and the host lacks. Looks only, and lets other work of the thread go
 * on in between, by `wait`. Throws NetError.
 */
export async function missingRules(core: Core, wait: Wait): Promise<FirewallEntry[]> {
  const found = await lackingOf(core, await neededEntries(core, wait), wait);
  if (found.size === 0) return [];
  // A call may have deleted what was read before the filter was.
  const now = await neededEntries(core, wait);
  const still = [...found].map(([backend, entries]): [FirewallBackend, readonly FirewallEntry[]] => {
    const keys = new Set((now.get(backend) ?? []).map(entryKey));
    return [backend, entries.filter((entry) => keys.has(entryKey(entry)))];
  });
  return [...(await lackingOf(core, new Map(still), wait)).values()].flat();
}

async function neededEntries({ host, store }: Core, wait: Wait): Promise<Entries> {
  const { bootId } = host.identity;
  const networks = store.networks.list().filter((row) => row.bootId === bootId && row.deleting !== true);
  const endpoints = store.endpoints.list().filter(({ progress }) => progress === 'ready');
  // A thousand endpoints take some milliseconds to read, and some more to plan.
  await wait(0);
  return desiredEntries(networks, endpoints);
}

async function lackingOf(core: Core, needed: Entries, wait: Wait): Promise<Map<FirewallBackend, FirewallEntry[]>> {
  const lacking = new Map<FirewallBackend, FirewallEntry[]>();
  for (const [backend, entries] of needed) {
    const missing = entries.length === 0 ? [] : await missingEntries(core.firewall(backend), entries, wait, true);
    if (missing.length > 0) lacking.set(backend, missing);
  }
  return lacking;
}
