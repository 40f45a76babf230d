import { basename } from 'node:path';
import type { LocalStore } from '../store/store.ts';

const CURSOR = 'cursor ';
const DIRECTORY = 'directory ';

/**
 * Key of the note with the last address that a part of a scope gave. The part is a range set's index or a pool's
 * subnet.
 */
export function cursorKey(scope: string, part: string | number): string {
  return `${CURSOR}${scope} ${part}`;
}

/** Key of the note that says when the directory of a scope was last read. */
export function directoryKey(scope: string): string {
  return DIRECTORY + scope;
}

/** Deletes the notes of a scope without leases, networks and pools. The caller runs it in a transaction. */
export function deleteUnusedScopeNotes(store: LocalStore, scope: string): void {
  if (isUsed(store, scope)) return;
  const own = cursorKey(scope, '');
  // Keys of the scope `/a b` also begin with `/a `; their rest has a space.
  const cursors = store.notes.keys(own).filter((key) => !key.slice(own.length).includes(' '));
  for (const key of [...cursors, directoryKey(scope)]) store.notes.delete(key);
}

/**
 * Deletes the notes of every scope, or of a network's scopes, without leases, networks and pools. Reads all notes;
 * writes only if it finds some.
 */
export function sweepScopeNotes(store: LocalStore, network?: string): void {
  const scopes = new Set([
    ...store.notes.keys(CURSOR).map((key) => key.slice(CURSOR.length, key.lastIndexOf(' '))),
    ...store.notes.keys(DIRECTORY).map((key) => key.slice(DIRECTORY.length)),
  ]);
  const meant = [...scopes].filter((scope) => network === undefined || basename(scope) === network);
  const unused = meant.filter((scope) => !isUsed(store, scope));
  if (unused.length === 0) return;
  store.transaction(() => {
    for (const scope of unused) deleteUnusedScopeNotes(store, scope);
  });
}

/** True if the scope has a lease, a network or a pool. A CNI scope is `<dataDir>/<network>`. */
function isUsed({ leases, networks, pools }: LocalStore, scope: string): boolean {
  return leases.any(scope) || networks.get(basename(scope)) !== undefined || pools.list(scope).length > 0;
}
