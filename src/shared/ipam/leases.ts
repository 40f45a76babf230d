import type { Attachment, Camp } from '../model/attachment.ts';
import type { Lease, LocalStore } from '../store/store.ts';
import { removeFile } from './directory.ts';
import { forgetUnusedScope } from './scope-notes.ts';

/** The owner's leases in a scope: what CHECK expects to find, and DEL releases. */
export function held(store: LocalStore, scope: string, owner: Attachment): Lease[] {
  const own = store.leases.list(scope, owner);
  return own.length > 0 ? own : store.leases.list(scope, nameless(owner));
}

/** The same, with leases of old files beside those of the owner: none of them may be overlooked by an ADD. */
export function leasesFor(store: LocalStore, scope: string, owner: Attachment): Lease[] {
  return [...store.leases.list(scope, owner), ...store.leases.list(scope, nameless(owner))];
}

/**
 * Frees the owner's leases in the scope, with the files that they came from, and returns them. The notes of the scope go
 * with its last lease, unless a network or a pool has it.
 */
export function release(store: LocalStore, scope: string, owner: Attachment): Lease[] {
  return store.transaction(() => drop(store, scope, held(store, scope, owner)));
}

/**
 * Of the leases of one camp in a scope, only those of `keep` are left; the rest is released as by `release` and
 * returned. Other camps' leases are not touched.
 */
export function retain(store: LocalStore, scope: string, camp: Camp, keep: readonly Attachment[]): Lease[] {
  const kept = new Set(keep.flatMap((owner) => [keyOf(owner), keyOf(nameless(owner))]));
  return store.transaction(() => {
    const lost = store.leases.list(scope).filter(({ owner }) => owner.camp === camp && !kept.has(keyOf(owner)));
    return drop(store, scope, lost);
  });
}

/** Files go first: a lease without its file is freed by the next reading of the directory, not the reverse. */
function drop(store: LocalStore, scope: string, leases: readonly Lease[]): Lease[] {
  for (const { address, source } of leases) {
    if (source === 'file') removeFile(store, scope, address);
    store.leases.release(scope, address);
  }
  forgetUnusedScope(store, scope);
  return [...leases];
}

/** The owner that files of old versions of host-local name: a container, without its interface. */
function nameless(owner: Attachment): Attachment {
  return { ...owner, ifName: '' };
}

function keyOf({ camp, network, containerId, ifName }: Attachment): string {
  return [camp, network, containerId, ifName].join('\0');
}
