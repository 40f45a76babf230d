import type { Copy } from './copy.ts';
import type { KeptCopy } from './kept.ts';
import { HOSTS, NETWORKS, parseTableKey, SECRETS_KEY } from './keys.ts';

/** Fills the copy with what an earlier process kept: the first snapshot replaces it, or carries it in another epoch. */
export function restoreCopy(copy: Copy, { epoch, entries }: KeptCopy): void {
  const below = (prefix: string): [string, string][] =>
    entries.flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : []));
  copy.hosts.restore(epoch, below(HOSTS));
  copy.networks.restore(epoch, below(NETWORKS));
  const secrets = below(SECRETS_KEY);
  if (secrets.length > 0) copy.secrets.restore(epoch, secrets);
  const networks = new Set(entries.flatMap(([key]) => parseTableKey(key)?.network ?? []));
  for (const network of networks) {
    const record = copy.networks.get(network);
    if (record === undefined) continue;
    const table = copy.table(network, record.mode);
    table.restore(epoch, below(table.prefix));
  }
}
