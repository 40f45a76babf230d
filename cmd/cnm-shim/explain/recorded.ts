import type { HostIdentity } from '../../../src/shared/host/host.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import type { Endpoint } from '../../../src/shared/model/endpoint.ts';
import { lookAtState } from '../../../src/shared/store/sqlite-look.ts';

/** What the state has of an attachment. */
export interface Recorded {
  /** With prefix length. */
  readonly addresses?: readonly string[];
  /** Path of its namespace. */
  readonly netns?: string;
}

/** Returns what is on record of the attachment; empty without a record, or without a state. Changes nothing. */
export function recordedOf(stateDir: string, identity: HostIdentity, attachment: Attachment): Recorded {
  const row = rowOf(stateDir, identity, attachment);
  if (row === undefined) return {};
  const netns = row.sandbox.path === '' ? {} : { netns: row.sandbox.path };
  return { ...netns, ...('inside' in row && { addresses: row.inside.addresses.map(({ address }) => address) }) };
}

function rowOf(stateDir: string, identity: HostIdentity, attachment: Attachment): Endpoint | undefined {
  try {
    using look = lookAtState(stateDir, identity);
    return look.endpoint(attachment);
  } catch {
    return undefined;
  }
}
