import type { Family } from '../model/addr.ts';

export type Table = 'raw' | 'mangle' | 'nat';

export const TABLES: readonly Table[] = ['raw', 'mangle', 'nat'];

/** One rule in iptables syntax. A comment between its matches and its target names its origin. */
export interface Line {
  readonly table: Table;
  readonly chain: string;
  /** True: insert first in its chain. Otherwise: append. */
  readonly head?: boolean;
  readonly matches: readonly string[];
  readonly target: readonly string[];
  /** For messages, and to detect whether a port leads elsewhere: `tcp *:8080 10.88.0.2:80`. */
  readonly note?: string;
}

/** Our chains, by table. */
export const CHAINS: Readonly<Record<Table, readonly string[]>> = {
  raw: ['ISTHMUS-GUARD', 'ISTHMUS-PEERS', 'ISTHMUS-SENT'],
  mangle: ['ISTHMUS-FORWARD', 'ISTHMUS-APART', 'ISTHMUS-CLOSED', 'ISTHMUS-FOREIGN'],
  nat: ['ISTHMUS-DNAT', 'ISTHMUS-ANSWERS', 'ISTHMUS-MASQ'],
};

/** Chains that exist only while they have rules: a host without overlay networks has neither. */
export const OPTIONAL: readonly string[] = ['ISTHMUS-PEERS', 'ISTHMUS-SENT'];

export const LOOPBACK = '127.0.0.0/8';

export function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

/** An address with port in iptables syntax. */
export function socketText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
