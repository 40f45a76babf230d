import { closeSync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { given } from '../../../src/shared/model/given.ts';
import { lockRange } from '../../../src/shared/netlink/range-lock.ts';
import { makeDirectories, missingDirectories, removeDirectories } from './directories.ts';
import { attempt, commit, copyTo, lookAt, stage, stagedPath } from './files.ts';
import type { InstallPlan, Placing, Step } from './plan.ts';
import { backupOf, INSTALL_DIR, type InstallRecord, removeRecord, writeRecord } from './record.ts';

/** Called before each step. */
export type Report = (step: Step) => void;

/** What is installed, and what shall be. */
export interface Change {
  readonly root: string;
  readonly plan: InstallPlan;
  /** Undefined if nothing is installed. */
  readonly former: InstallRecord | undefined;
  readonly options: Pick<InstallRecord, 'version' | 'names' | 'daemon'>;
}

/** Keeps other installations out until it is disposed of. Throws NetError `busy` while one is under way. */
export function lockInstall(root: string): Disposable {
  const file = join(INSTALL_DIR, 'lock');
  makeDirectories(root, missingDirectories(root, [file]));
  const fd = attempt(join(root, file), 'it cannot be opened', () => openSync(join(root, file), 'a', 0o600));
  // One that has just ended may have deleted this file.
  const isThere = statSync(join(root, file), { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
  if (!isThere || !lockRange(fd, 0n, true)) {
    closeSync(fd);
    throw fault.busy('install', root, 'another installation is under way', 'Wait until it ends');
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * Carries out the plan, and records it; removes the record if nothing is installed any more.
 * Whatever can fail for want of space or rights comes first, beside the files in use; renames then replace these. After a
 * crash at any point, the same call leads to the same end, and uninstalling leaves nothing. Throws NetError `io`.
 */
export function carryOut({ root, plan, former, options }: Change, report: Report): void {
  const { steps, items } = plan;
  const known = former?.items ?? [];
  for (const { path } of [...steps, ...known])
    for (const left of [path, backupOf(path)]) rmSync(stagedPath(join(root, left)), { force: true });
  const placed = steps.filter(isPlacing);
  const made = missingDirectories(
    root,
    placed.map(({ path }) => path),
  );
  const directories = [...new Set([...(former?.directories ?? []), ...made])].sort();
  const paths = new Set(items.map(({ path }) => path));
  const dropped = known.filter(({ path }) => !paths.has(path));
  const begun = items.map((item) => {
    if (!placed.some(({ path }) => path === item.path)) return item;
    const former = known.find(({ path }) => path === item.path)?.sum;
    return { ...item, pending: true, ...given({ former }) };
  });
  // What a crash leaves is on record: what is not yet in place, and what is not yet removed.
  writeRecord(root, { ...options, directories, items: [...begun, ...dropped] });
  try {
    makeDirectories(root, made);
    for (const { item } of placed) stage(root, item);
    for (const { path, backup } of placed) if (backup) copyTo(join(root, path), join(root, backupOf(path)));
  } catch (error) {
    for (const { path } of placed) rmSync(stagedPath(join(root, path)), { force: true });
    removeDirectories(root, made);
    if (former === undefined) removeRecord(root);
    else writeRecord(root, former);
    throw error;
  }
  for (const step of steps) {
    report(step);
    carryOutStep(root, step);
  }
  const unused = directories.filter((directory) => !items.some(({ path }) => path.startsWith(`${directory}/`)));
  const left = removeDirectories(root, unused);
  if (items.length === 0) {
    removeRecord(root);
    return;
  }
  for (const { path, replaced } of dropped) if (replaced === true) rmSync(join(root, backupOf(path)), { force: true });
  const kept = directories.filter((directory) => !unused.includes(directory) || left.includes(directory));
  writeRecord(root, { ...options, directories: kept, items });
}

function isPlacing(step: Step): step is Placing {
  return step.action === 'install' || step.action === 'replace';
}

function carryOutStep(root: string, step: Step): void {
  const path = join(root, step.path);
  if (isPlacing(step)) commit(path);
  else if (step.action === 'put back') putBack(root, step.path);
  else if (step.action === 'remove') remove(path);
}

/** What was at the path before is there again, in one step; nothing, if no copy of it was made. */
function putBack(root: string, path: string): void {
  const [copy, target] = [join(root, backupOf(path)), join(root, path)];
  if (lookAt(copy).kind === 'absent') {
    remove(target);
  } else {
    makeDirectories(root, missingDirectories(root, [path]));
    copyTo(copy, target);
  }
}

function remove(path: string): void {
  attempt(path, 'it cannot be removed', () => rmSync(path, { force: true }));
}
