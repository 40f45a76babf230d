import type { Attachment, Camp } from '../model/attachment.ts';
import type { Lease, LocalStore } from '../store/store.ts';
import { hasFile, removeFile } from './directory.ts';
import { deleteUnusedScopeNotes } from './scope-notes.ts';

/** The owner's leases in a scope: CHECK expects them, and DEL releases them. */
export function held(store: LocalStore, scope: string, owner: Attachment): Lease[] {
  const own = store.leases.list(scope, owner);
  return own.length > 0 ? own : store.leases.list(scope, nameless(owner));
}

/** Like `held`, plus the owner's leases from files of old host-local versions: an ADD must see all of them. */
export function leasesFor(store: LocalStore, scope: string, owner: Attachment): Lease[] {
  return [...store.leases.list(scope, owner), ...store.leases.list(scope, nameless(owner))];
}

/**
 * Releases the owner's leases in the scope, deletes the files that they came from, and returns the leases. With the
 * last lease, deletes the scope's notes, unless a network or a pool uses the scope.
 */
export function release(store: LocalStore, scope: string, owner: Attachment): Lease[] {
  return store.transaction(() => drop(store, scope, held(store, scope, owner)));
}

/**
 * Releases the leases of one camp in a scope whose owner is not in `keep`, as `release` does, and returns them. Does
 * not touch leases of other camps.
 */
export function retain(store: LocalStore, scope: string, camp: Camp, keep: readonly Attachment[]): Lease[] {
  const kept = new Set(keep.flatMap((owner) => [keyOf(owner), keyOf(nameless(owner))]));
  return store.transaction(() => {
    const lost = store.leases.list(scope).filter(({ owner }) => owner.camp === camp && !kept.has(keyOf(owner)));
    return drop(store, scope, lost);
  });
}

/**
 * Deletes files first: the next import releases a lease without a file, but would restore the lease of a file that
 * remained.
 */
function drop(store: LocalStore, scope: string, leases: readonly Lease[]): Lease[] {
  for (const lease of leases) {
    if (lease.source === 'file' || hasFile(scope, lease)) removeFile(store, scope, lease.address);
    store.leases.release(scope, lease.address);
  }
  deleteUnusedScopeNotes(store, scope);
  return [...leases];
}

/** The owner in files of old host-local versions: a container without its interface. */
function nameless(owner: Attachment): Attachment {
  return { ...owner, ifName: '' };
}

function keyOf({ camp, network, containerId, ifName }: Attachment): string {
  return [camp, network, containerId, ifName].join('\0');
}
