import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasCode, NetError } from '../../errors/net-error.ts';
import type { Namespace } from '../../host/host.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { attachmentKey } from '../apply.ts';
import type { Core } from '../core.ts';
import { findOffered, isOffered, type OfferedEndpoint } from './offered-link.ts';

/** Records the path of the sandbox that dockerd is about to move the interface to, if dockerd tells it. */
export async function placeOffered(core: Core, attachment: Attachment, netns: string): Promise<void> {
  if (netns === '') return;
  const { store } = core;
  using _lock = await core.lock(attachmentKey(attachment));
  store.transaction(() => {
    const row = store.endpoints.get(attachment, 'interface');
    if (isOffered(row) && row.netns !== netns) store.endpoints.put({ ...row, netns });
  });
}

/**
 * True for a complete endpoint whose interface is neither on the host nor in its sandbox; false where the sandbox is
 * unknown.
 */
export function isOfferGone(core: Core, row: Endpoint): boolean {
  return isOffered(row) && row.netns !== undefined && row.progress === 'ready' && !isThere(core, row);
}

/** True if the interface is somewhere, or may be in a sandbox that cannot be looked into. */
export function isThere(core: Core, row: OfferedEndpoint): boolean {
  const { attachment, netns = '' } = row;
  try {
    using sandbox = openSandbox(core, netns);
    return findOffered(core, attachment, sandbox) !== undefined;
  } catch (thrown) {
    if (thrown instanceof NetError) return true;
    throw thrown;
  }
}

/** Undefined if dockerd has deleted the sandbox, or not made it yet. Throws NetError where that is unknown. */
function openSandbox({ host }: Core, path: string): Namespace | undefined {
  if (path === '') return undefined;
  try {
    return host.open(path);
  } catch (thrown) {
    const isDeleted = thrown instanceof NetError && hasCode(thrown.cause, ['ENOENT']) && existsSync(dirname(path));
    if (isDeleted) return undefined;
    throw thrown;
  }
}
