// node:crypto takes 4.5 ms to load, a sixth of a whole call; this takes 0.7.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** Which world an endpoint belongs to. */
export type Camp = 'cni' | 'cnm';

/** What part of an attachment a call owns; a chained DEL removes its own role only. */
export type Role = 'interface' | 'ipam' | 'loopback' | 'portmap' | 'firewall' | 'bandwidth' | 'tuning';

/** The identity of one attachment point. */
export interface Attachment {
  readonly camp: Camp;
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
}

export function sameAttachment(a: Attachment, b: Attachment): boolean {
  return sameContainer(a, b) && a.network === b.network && a.ifName === b.ifName;
}

export function sameContainer(a: Attachment, b: Attachment): boolean {
  return a.camp === b.camp && a.containerId === b.containerId;
}

/**
 * Hex digest of an attachment. Parts are separated by NUL, which none can contain, so that no two attachments share
 * one by concatenation.
 */
export function attachmentDigest(attachment: Attachment): string {
  const { camp, network, containerId, ifName } = attachment;
  return digest(camp, network, containerId, ifName);
}

/** Name of the host-side interface of an attachment: `veth` and 11 hex digits, 15 characters (IFNAMSIZ - 1). */
export function hostIfName(attachment: Attachment): string {
  return `veth${attachmentDigest(attachment).slice(0, 11)}`;
}

/** Name of the ifb through which an attachment's egress is limited: `ifb` and 12 hex digits. */
export function ifbName(attachment: Attachment): string {
  return `ifb${digest('ifb', attachmentDigest(attachment)).slice(0, 12)}`;
}

/** Digests of late: a call asks for the same few again and again, and one that V8 has not compiled takes 0.15 ms. */
const known = new Map<string, string>();
const KNOWN_DIGESTS = 64;

/** Hex SHA-256 of NUL-separated parts. */
export function digest(...parts: readonly string[]): string {
  const text = parts.join('\0');
  let found = known.get(text);
  if (found === undefined) {
    found = bytesToHex(sha256(utf8ToBytes(text)));
    if (known.size >= KNOWN_DIGESTS) known.clear();
    known.set(text, found);
  }
  return found;
}
