import type { Family } from './addr.ts';
import type { Secret } from './secret.ts';

/** Names one security association of ESP: what the kernel has one of. */
export interface XfrmStateId {
  readonly src: string;
  readonly dst: string;
  /** From 256; `dst` has one association of it. */
  readonly spi: number;
}

/**
 * A security association: ESP in transport mode by AES-GCM (RFC 4106) with 128 bits, a tag of 16 bytes, sequence numbers
 * of 64 bits, and a replay window of `REPLAY_WINDOW` packets.
 */
export interface XfrmState extends XfrmStateId {
  /** Ties it to the policies with the same number. */
  readonly reqid: number;
  /** 16 bytes of key and 4 of salt (RFC 4106, section 8.1). */
  readonly key: Secret;
  /** The kernel deletes it after so many seconds. Default: never. */
  readonly seconds?: number;
}

/** What the kernel says of an association; the key stays there. */
export type XfrmStateInfo = Omit<XfrmState, 'key' | 'seconds'>;

/** What must happen to UDP datagrams from `src` to a port of `dst`. */
export interface XfrmPolicy {
  readonly direction: 'in' | 'out';
  readonly family: Family;
  /** Default: any address. */
  readonly src?: string;
  /** Default: any address. */
  readonly dst?: string;
  readonly port: number;
  /** Of several policies, the one with the lowest number applies. */
  readonly priority: number;
  /**
   * ESP between `src` and `dst` by an association with this number, and with this SPI unless it is 0. Absent: datagrams are
   * dropped.
   */
  readonly through?: { readonly reqid: number; readonly spi: number };
}

/** Packets that may arrive late and still count as new. */
export const REPLAY_WINDOW = 1024;
