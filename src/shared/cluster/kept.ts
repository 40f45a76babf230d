import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
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

/**
 * Writes what this host needs to forward without the store: hosts, networks, the tables of those that it uses, and the
 * secrets of encrypted ones. A crash leaves the file before or after. Only its owner can read it.
 */
export function saveCopy(path: string, copy: Copy, epoch: string): void {
  const lines = [TITLE, epoch];
  for (const [host, record] of copy.hosts) lines.push(`${hostKey(host)} ${formatHost(record)}`);
  for (const [network, record] of copy.networks) lines.push(`${networkKey(network)} ${formatNetwork(record)}`);
  for (const table of copy.tables().values())
    for (const [rest, { host, mac, endpoint }] of table) {
      const value =
        mac === ''
          ? formatHolder({ host, name: '', claim: '' })
          : formatAddress({ host, mac, endpoint, bootId: '', claim: '' });
      lines.push(`${table.prefix}${rest} ${value}`);
    }
  for (const [, secrets] of copy.secrets) lines.push(`${SECRETS_KEY} ${formatSecrets(secrets)}`);
  lines.push(`end ${lines.length}`, '');
  const draft = `${path}.draft`;
  // One that an earlier process left may have another mode.
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, lines.join('\n'));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}

/** The file of the kept copy. */
export const copyPath = (stateDir: string): string => join(stateDir, 'cluster-copy');

/** Deletes what is kept: another cluster is no other epoch of this one. */
export function forgetCopy(stateDir: string): void {
  rmSync(copyPath(stateDir), { force: true });
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
