import type { Core } from '../../src/shared/core/core.ts';
import { refreshFilters } from '../../src/shared/core/networks/mend-networks.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import { FIREWALLD_TABLE, ZONE_CHAINS } from '../../src/shared/firewall/firewalld-rules.ts';
import { formatChange, type KernelChange } from '../../src/shared/host/changes.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { Uplinks } from '../../src/shared/host/uplinks.ts';
import { watchHost } from '../../src/shared/host/watch.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { damageOf } from './damage.ts';
import { MAX_DAMAGE, MAX_INTERVAL_MS, MUCH, makeUpkeep } from './upkeep.ts';

export interface MendingOptions {
  /** The namespace to watch. */
  readonly ns: LinuxNamespace;
  readonly log: Logger;
  /** Returns the parts of a core for one look; opened anew each time. */
  readonly core: () => Pick<Core, 'host' | 'store' | 'lock' | 'firewall'>;
  /** Follows every change, also those that are no damage. */
  readonly uplinks: Uplinks;
  /** Restores everything. */
  readonly pass: () => Promise<void>;
}

/** In nftables: our tables, and the marks of our rules and chains in other tables. */
const NFT = {
  tables: ['isthmus', 'isthmus-underlay', 'isthmus-sealed'],
  marks: ['isthmus', 'ISTHMUS-'],
  chains: { table: FIREWALLD_TABLE, names: ZONE_CHAINS },
};
/** Milliseconds until the daemon tries again to put our bridges into a zone of firewalld. */
const ZONE_RETRY_MS = 2000;
const ZONES: KernelChange = { kind: 'chain', table: FIREWALLD_TABLE };
/** Most changes that one log line names. */
const NAMED = 5;

/**
 * Restores our objects soon after another program removes them, and checks everything every ten minutes, until
 * disposed. If the kernel cannot be watched, only the periodic check remains, and the log says so.
 */
export function startMending({ ns, log, core, uplinks, pass }: MendingOptions): AsyncDisposable {
  const opened = new AsyncDisposableStack();
  const heard = new Map<string, KernelChange>();
  /** Bridges of others that the packet filter has taken into account. */
  const seen = new Set<string>();
  const seeBridges = async (changes: readonly KernelChange[]): Promise<void> => {
    for (const { kind, event, name } of changes.filter((change) => change.kind === 'link'))
      if (kind === 'link' && event === 'delete') seen.delete(name);
    const fresh = changes.flatMap((change) =>
      change.kind === 'bridge' && !seen.has(change.name) ? [change.name] : [],
    );
    if (fresh.length === 0 && !changes.some(({ kind }) => kind === 'chain')) return;
    for (const error of await refreshFilters(core())) log.warn('mend.failed', { error: error.message });
    for (const name of fresh) seen.add(name);
  };
  const upkeep = opened.use(
    makeUpkeep({
      look: async (texts) => {
        const changes = texts.map((text): KernelChange => heard.get(text) ?? { kind: 'lost' });
        for (const text of texts) heard.delete(text);
        try {
          await seeBridges(changes);
          return (await damageOf(core(), changes)).map(formatChange);
        } catch (thrown) {
          log.warn('mend.failed', { error: asNetError(thrown, 'mend').message });
          return [];
        }
      },
      pass: async (why) => {
        log.debug('mend', { why: list(why) });
        try {
          await pass();
        } catch (thrown) {
          log.warn('mend.failed', { error: asNetError(thrown, 'mend').message });
        }
        // A firewalld that starts or reloads may answer later.
        if (why.includes(formatChange(ZONES))) setTimeout(() => changed([ZONES]), ZONE_RETRY_MS).unref();
      },
      found: (damage) => log.warn('mend.found', { changes: list(damage) }),
      fought: (damage) => log.warn('mend.again', { changes: damage, everySeconds: MAX_INTERVAL_MS / 1000 }),
    }),
  );
  const changed = (all: readonly KernelChange[]): void => {
    uplinks.heard(all);
    const changes = all.filter(({ kind }) => kind !== 'port');
    if (changes.length === 0) return;
    const texts = changes.map(formatChange);
    texts.forEach((text, i) => {
      const change = changes[i];
      if (change !== undefined && heard.size < MAX_DAMAGE) heard.set(text, change);
    });
    upkeep.heard(texts.map((text) => (heard.has(text) ? text : MUCH)));
  };
  try {
    opened.use(watchHost(ns, { nft: NFT, changed }));
    uplinks.start();
  } catch (thrown) {
    log.warn('watch.failed', { error: asNetError(thrown, 'watch').message });
  }
  return opened;
}

function list(texts: readonly string[]): string {
  const more = texts.length - NAMED;
  return [...texts.slice(0, NAMED), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}
