import { type Attachment, attachmentDigest } from '../model/attachment.ts';
import { parseJson } from '../model/json.ts';
import * as is from './shapes.ts';
import type { NoteTable } from './store.ts';

/** The lease of one attachment from a DHCP server, with what its client needs after a restart of the daemon. */
export interface DhcpLeaseRow {
  readonly attachment: Attachment;
  /** Without an endpoint on record: another plugin made the interface. */
  readonly isAlone?: true;
  /** A later boot has neither the namespace nor the clock of the lease. */
  readonly bootId: string;
  readonly sandbox: { readonly path: string; readonly id: string };
  /** MAC of the interface at that time. */
  readonly mac: string;
  readonly broadcast: boolean;
  /** Codes of the options that the client asks for. */
  readonly request: readonly number[];
  /** Codes and values of the options that it tells. */
  readonly provide: readonly (readonly [code: number, value: string])[];
  /** Metric of the routes. Default: none. */
  readonly priority?: number;
  /** The server's acknowledgement, in hex. */
  readonly ack: string;
  /** When it was asked for, in milliseconds since the boot. */
  readonly since: number;
}

const PREFIX = 'dhcp ';

const row = is.record({
  attachment: is.record({ camp: is.text, network: is.text, containerId: is.text, ifName: is.text }),
  isAlone: is.optional(is.flag),
  bootId: is.text,
  sandbox: is.record({ path: is.text, id: is.text }),
  mac: is.mac,
  broadcast: is.flag,
  request: is.list(is.count),
  provide: is.list((value) => Array.isArray(value) && is.count(value[0]) && is.text(value[1])),
  priority: is.optional(is.u32),
  ack: is.text,
  since: (value) => Number.isSafeInteger(value),
});

/** The lease of an attachment; undefined without one, and for a broken row. */
export function dhcpLease(notes: NoteTable, attachment: Attachment): DhcpLeaseRow | undefined {
  return parse(notes.get(keyOf(attachment)));
}

export function putDhcpLease(notes: NoteTable, lease: DhcpLeaseRow): void {
  notes.put(keyOf(lease.attachment), JSON.stringify(lease));
}

/** Accepts absence. */
export function deleteDhcpLease(notes: NoteTable, attachment: Attachment): void {
  notes.delete(keyOf(attachment));
}

/** All leases. Deletes broken rows. */
export function listDhcpLeases(notes: NoteTable): DhcpLeaseRow[] {
  return notes.keys(PREFIX).flatMap((key) => {
    const lease = parse(notes.get(key));
    if (lease === undefined) notes.delete(key);
    return lease ?? [];
  });
}

function keyOf(attachment: Attachment): string {
  return PREFIX + attachmentDigest(attachment);
}

function parse(text: string | undefined): DhcpLeaseRow | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = parseJson(text);
    return row(value) ? (value as DhcpLeaseRow) : undefined;
  } catch {
    return undefined;
  }
}
