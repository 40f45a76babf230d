import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PLUGIN_DIRS } from '../../../src/shared/runtime/configured-network.ts';
import { isOwnPlugin } from '../../../src/shared/runtime/delegate.ts';
import type { Environment } from '../../../src/shared/runtime/environment.ts';

const ANSWER_MS = 1000;

/** The plugin that runtimes call, and its version; undefined if none is installed or it does not tell. */
export async function installedPlugin(
  env: Environment,
): Promise<{ readonly path: string; readonly version: string } | undefined> {
  const asked = (env.CNI_PATH ?? '').split(':').filter((each) => each !== '');
  const dirs = asked.length > 0 ? asked : PLUGIN_DIRS;
  const path = dirs.map((dir) => join(dir, 'isthmus')).find((file) => existsSync(file));
  if (path === undefined || !isOwnPlugin('isthmus', dirs)) return undefined;
  const text = await new Promise<string>((resolve) => {
    // Without a CNI variable a plugin tells its version, on stderr as the reference does.
    const options = { env: { PATH: env.PATH ?? '' }, timeout: ANSWER_MS };
    const child = execFile(path, options, (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
    child.stdin?.end();
  });
  const version = /plugin v(\S+)/.exec(text)?.[1];
  return version === undefined ? undefined : { path, version };
}
