import { readFileSync } from 'node:fs';

/** Descriptors for all but held ports (connections, relays, namespaces, IPAM plugins): an eighth, within these bounds. */
const LEAST_OTHERS = 1024;
const MOST_OTHERS = 8192;

/**
 * How many files may be open to hold ports, and for everything else, of RLIMIT_NOFILE.
 * Node raises the soft limit to the hard one when it starts.
 */
export function descriptors(): { readonly ports: number; readonly others: number } {
  const [, soft = '1024'] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  const limit = soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft);
  const wanted = Math.min(Math.max(Math.ceil(limit / 8), LEAST_OTHERS), MOST_OTHERS);
  const others = Math.min(wanted, Math.ceil(limit / 2));
  return { ports: limit - others, others };
}
