import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FirewallerOptions } from '../../src/shared/firewall/open.ts';
import { LockQueue } from '../../src/shared/store/locks.ts';

/**
 * The lock of a state directory that is deleted with this process: for firewallers that a test opens without a core.
 */
export const filterLock: FirewallerOptions['lock'] = (key) => {
  queue ??= new LockQueue(stateDir());
  return queue.lock(key);
};

let queue: LockQueue | undefined;

function stateDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'isth-filter-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}
