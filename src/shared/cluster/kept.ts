import { readFileSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/net-error.ts';
import type { Copy } from './copy.ts';
import { hostKey, networkKey, SECRETS_KEY } from './keys.ts';
import { formatSecrets } from './secrets.ts';
import { formatAddress, formatHolder, formatHost, formatNetwork } from './values.ts';

/** The copy of an earlier process. */
export interface KeptCopy {
  readonly epoch: string;
  readonly entries: readonly (readonly [key: string, value: string])[];
}

const TITLE = 'isthmus cluster copy 1';

/** Entries that are written between two turns of the event loop. */
const PORTION = 1_000;

/**
 * Writes what this host needs to forward without the store: hosts, networks, the tables of those that it uses, and the
 * secrets of encrypted ones. A crash leaves the file before or after. Only its owner can read it. An entry that changes
 * meanwhile is written as it was or as it is. Writes nothing if the copy gets another epoch meanwhile.
 */
export async function saveCopy(path: string, copy: Copy, epoch: string): Promise<void> {
  const draft = draftOf(path);
  // One that an earlier process left may have another mode.
  await rm(draft, { force: true });
  try {
    if (await writeDraft(draft, copy, epoch)) await rename(draft, path);
  } finally {
    // One that is not whole has secrets, and takes space from a disk that may be full.
    await rm(draft, { force: true });
  }
}

/** False if the copy has got another epoch. */
async function writeDraft(draft: string, copy: Copy, epoch: string): Promise<boolean> {
  const file = await open(draft, 'wx', 0o600);
  try {
    // `write` may write a part, on a disk that is almost full.
    await file.appendFile(`${TITLE}\n${epoch}\n`);
    let lines = 2;
    for (const portion of portions(entriesOf(copy))) {
      await file.appendFile(portion.join(''));
      lines += portion.length;
      if (copy.networks.epoch !== epoch) return false;
    }
    await file.appendFile(`end ${lines}\n`);
    await file.sync();
    return true;
  } finally {
    await file.close();
  }
}

/** Lines of a key and its value. */
function* entriesOf(copy: Copy): Generator<string> {
  for (const [host, record] of copy.hosts) yield `${hostKey(host)} ${formatHost(record)}\n`;
  for (const [network, record] of copy.networks) yield `${networkKey(network)} ${formatNetwork(record)}\n`;
  for (const table of copy.tables().values())
    for (const [rest, { host, mac, endpoint }] of table) {
      const value =
        mac === ''
          ? formatHolder({ host, name: '', claim: '' })
          : formatAddress({ host, mac, endpoint, bootId: '', claim: '' });
      yield `${table.prefix}${rest} ${value}\n`;
    }
  for (const [, secrets] of copy.secrets) yield `${SECRETS_KEY} ${formatSecrets(secrets)}\n`;
}

function* portions<T>(all: Iterable<T>): Generator<T[]> {
  let portion: T[] = [];
  for (const one of all) {
    portion.push(one);
    if (portion.length < PORTION) continue;
    yield portion;
    portion = [];
  }
  if (portion.length > 0) yield portion;
}

/** The file of the kept copy. */
export const copyPath = (stateDir: string): string => join(stateDir, 'cluster-copy');

const draftOf = (path: string): string => `${path}.draft`;

/** Deletes what is kept, and what a process left that was killed: another cluster is no other epoch of this one. */
export function forgetCopy(stateDir: string): void {
  const path = copyPath(stateDir);
  for (const file of [path, draftOf(path)]) rmSync(file, { force: true });
}

/** Undefined if the file is missing or incomplete. */
export function loadCopy(path: string): KeptCopy | undefined {
  const lines = readText(path)?.split('\n') ?? [];
  const [title, epoch] = lines;
  const isWhole = lines.at(-2) === `end ${lines.length - 2}` && lines.at(-1) === '';
  if (title !== TITLE || epoch === undefined || !isWhole) return undefined;
  const entries = lines.slice(2, -2).map((line) => {
    const at = line.indexOf(' ');
    return [line.slice(0, at), line.slice(at + 1)] as const;
  });
  return { epoch, entries };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, ['ENOENT'])) return undefined;
    throw error;
  }
}
