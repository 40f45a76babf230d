import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../errors/fault.ts';
import { hasCode } from '../errors/net-error.ts';

const FILE = 'host-id';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The identity of this host in its cluster: a UUID that the first call creates in `<stateDir>/host-id`. Not that of
 * /etc/machine-id, which is copied with images. Throws NetError `state` for a file without a UUID.
 */
export function clusterHostId(stateDir: string): string {
  const path = join(stateDir, FILE);
  const found = read(path) ?? create(path);
  if (UUID.test(found)) return found;
  throw fault.state(
    'cluster.identity',
    `file ${path}`,
    'it has no host id',
    'Restore it, or delete it and run cluster forget for the old id: the host is a new one then',
  );
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, ['ENOENT'])) return undefined;
    throw fault.state('cluster.identity', `file ${path}`, 'it cannot be read', 'Check its permissions', {
      cause: error,
    });
  }
}

/** Safe if two processes do it at the same time: one file appears, with its whole content. */
function create(path: string): string {
  const id = randomUUID();
  const draft = `${path}.${id}`;
  try {
    const file = openSync(draft, 'wx', 0o600);
    writeSync(file, `${id}\n`);
    fsyncSync(file);
    closeSync(file);
    linkSync(draft, path);
    return id;
  } catch (error) {
    const other = hasCode(error, ['EEXIST']) ? read(path) : undefined;
    if (other !== undefined) return other;
    throw fault.state('cluster.identity', `file ${path}`, 'it cannot be created', 'Check the disk', { cause: error });
  } finally {
    rmSync(draft, { force: true });
  }
}
