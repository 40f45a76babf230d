import { fault } from '../../../src/shared/errors/fault.ts';
import type { Found } from './files.ts';
import { COMMAND, type Item, LAUNCHER, LIBRARY } from './items.ts';
import type { RecordedItem } from './record.ts';

/** An item comes to its path. */
export interface Placing {
  readonly action: 'install' | 'replace';
  readonly path: string;
  readonly item: Item;
  /** True if what is there is not ours: a copy of it is kept. */
  readonly backup: boolean;
}

/** One step of an installation, as data. Steps are carried out in order. */
export type Step =
  | Placing
  | { readonly action: 'keep' | 'leave'; readonly path: string; readonly why: string }
  | { readonly action: 'put back' | 'remove'; readonly path: string };

export interface InstallPlan {
  readonly steps: readonly Step[];
  /** What an installation has put in place afterwards. */
  readonly items: readonly RecordedItem[];
}

/** An item, and what identifies its content. */
export interface Summed {
  readonly item: Item;
  readonly sum: string;
}

/** Targets of links that earlier installations, or an administrator after the documentation, have made. */
const OWN_TARGETS = ['isthmus', LAUNCHER, COMMAND, 'cni-plugin', `${LIBRARY}/cni-plugin`, `${LIBRARY}/cnm-shim`];
const OWN_LINKS = new Set(OWN_TARGETS.map((target) => `link:${target}`));

/**
 * Plans the way from what `record` says and `look` finds to exactly the items that are wanted. What was on record and is
 * wanted no longer is put back or removed. An empty list uninstalls.
 * Throws NetError `conflict` if a directory or a device is in the way.
 */
export function planInstall(
  wanted: readonly Summed[],
  record: readonly RecordedItem[],
  look: (path: string) => Found,
): InstallPlan {
  const known = new Map(record.map((item) => [item.path, item]));
  const planned = wanted.map((one) => place(one, known.get(one.item.path), look(one.item.path)));
  const paths = new Set(wanted.map(({ item }) => item.path));
  // The last that came is the first to go: names before the launcher, and that before the executable.
  const gone = record.filter(({ path }) => !paths.has(path)).toReversed();
  const undone = gone.map((item) => ({ item, found: look(item.path) }));
  // An operator's own changes are his; a package that is purged deletes them.
  const left = undone.filter(({ item, found }) => item.part === 'network' && isChanged(item, found));
  return {
    steps: [...planned.map(({ step }) => step), ...undone.map(({ item, found }) => undo(item, found))],
    items: [...planned.flatMap(({ recorded }) => recorded ?? []), ...left.map(({ item }) => item)],
  };
}

interface Placed {
  readonly step: Step;
  readonly recorded?: RecordedItem;
}

function place({ item, sum }: Summed, known: RecordedItem | undefined, found: Found): Placed {
  const { path, part } = item;
  if (found.kind === 'directory' || found.kind === 'other') {
    const what = found.kind === 'directory' ? 'a directory is there' : 'it is neither a file nor a link';
    throw fault.conflict('install', `path ${path}`, what, 'Move it away, and run it again');
  }
  const recorded = (replaced = known?.replaced ?? false): RecordedItem => ({
    path,
    part,
    sum,
    ...(replaced ? { replaced } : {}),
  });
  if (found.sum === sum) return { step: { action: 'keep', path, why: 'it is up to date' }, recorded: recorded() };
  const held = holding(item, known, found);
  if (held !== undefined)
    return { step: { action: 'keep', path, why: held }, ...(known === undefined ? {} : { recorded: known }) };
  if (found.kind === 'absent') return { step: { action: 'install', path, item, backup: false }, recorded: recorded() };
  const backup = !isOwn(item, known, found);
  return { step: { action: 'replace', path, item, backup }, recorded: recorded(backup || undefined) };
}

/** Why the path stays as it is; undefined if the item may come there. */
function holding({ part, ifAbsent }: Item, known: RecordedItem | undefined, { kind }: Found): string | undefined {
  if (part === 'network' && known !== undefined && known.pending !== true)
    return kind === 'absent' ? 'the operator has removed it' : 'a configured network stays as it is';
  return ifAbsent === true && kind !== 'absent' ? 'there is one already' : undefined;
}

/** True if what is at the path was put there by an installation, so that no copy of it has to be kept. */
function isOwn({ part }: Item, known: RecordedItem | undefined, { sum }: Found): boolean {
  if (part === 'program' || (known !== undefined && [known.sum, known.former].includes(sum))) return true;
  return sum !== undefined && OWN_LINKS.has(sum);
}

function undo(item: RecordedItem, found: Found): Step {
  const { path, replaced = false } = item;
  if (found.kind === 'absent' && !replaced) return { action: 'leave', path, why: 'it is gone already' };
  if (isChanged(item, found)) return { action: 'leave', path, why: 'it has been changed since' };
  return { action: replaced ? 'put back' : 'remove', path };
}

function isChanged({ part, sum, former }: RecordedItem, found: Found): boolean {
  return found.kind !== 'absent' && part !== 'program' && found.sum !== sum && found.sum !== former;
}
