import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

// node:crypto takes 4.5 ms to load, a sixth of a whole call; this takes 0.7.

/** The engine that an endpoint belongs to: CNI, or Docker (CNM). */
export type Camp = 'cni' | 'cnm';

/** The same in what operators read: few know Docker's side by the name of its model. */
export type CampName = 'cni' | 'docker';

export function campName(camp: Camp): CampName {
  return camp === 'cnm' ? 'docker' : camp;
}

/** The part of an attachment that a call owns. A chained DEL removes its own role only. */
export type Role = 'interface' | 'ipam' | 'loopback' | 'portmap' | 'firewall' | 'bandwidth' | 'tuning' | 'sbr' | 'vrf';

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

/** Text of an attachment: equal for equal ones. NUL, which no part can contain, separates the parts. */
export function attachmentText({ camp, network, containerId, ifName }: Attachment): string {
  return [camp, network, containerId, ifName].join('\0');
}

/** Hex digest of an attachment. */
export function attachmentDigest(attachment: Attachment): AttachmentKey {
  return digest(attachmentText(attachment)) as AttachmentKey;
}

/** Name of the host-side interface of an attachment: `veth` and 11 hex digits, 15 characters (IFNAMSIZ - 1). */
export function hostIfName(attachment: Attachment): string {
  return `veth${attachmentDigest(attachment).slice(0, 11)}`;
}

/** Name of the ifb through which an attachment's egress is limited: `ifb` and 12 hex digits. */
export function ifbName(attachment: Attachment): string {
  return `ifb${digest('ifb', attachmentDigest(attachment)).slice(0, 12)}`;
}

/**
 * Recent digests: a call needs the same few many times, and computing one takes 0.15 ms before V8 has compiled the
 * code.
 */
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

/** `network web`; the Network of one Docker network only, `docker-<id>`, is `Docker network <id>`, as people find it. */
export function networkTitle(network: string): string {
  const [, id] = /^docker-([0-9a-f]{12})$/.exec(network) ?? [];
  return id === undefined ? `network ${network}` : `Docker network ${id}`;
}

declare const brand: unique symbol;

/** Text of one meaning. Only the function that creates it returns its type; at run time it is a plain string. */
type Branded<Meaning extends string> = string & { readonly [brand]: Meaning };

/** Digest of an attachment: equal for equal attachments. */
export type AttachmentKey = Branded<'attachment'>;
/** Identity of a network namespace: boot id and namespace cookie. */
export type SandboxId = Branded<'sandbox'>;
/** Identity of a host: to whom rows belong. */
export type HostId = Branded<'host'>;

/** The identity of a namespace. The boot id is in it because cookies begin anew with each boot. */
export function sandboxId(bootId: string, cookie: bigint | number | string): SandboxId {
  return `${bootId}:${cookie}` as SandboxId;
}

/** A host by the name that an operator gave it, `root`, or the identity of its namespace. */
export function hostId(text: string): HostId {
  return text as HostId;
}
