import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory of one's own that is removed with everything in it at the end of `using`'s block. */
export interface TempDir extends Disposable {
  readonly path: string;
}

export function makeTempDir(parent = tmpdir()): TempDir {
  const path = mkdtempSync(join(parent, 'isth-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
