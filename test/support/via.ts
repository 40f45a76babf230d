import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compileStatic } from '../../build/launcher.ts';

/** The directory of the executables; ISTHMUS_TEST_DIST names another build. */
const DIST = resolve(process.env.ISTHMUS_TEST_DIST ?? join(import.meta.dirname, '../../dist'));

/** How calls reach the core: by the stand-alone plugin, or by the launcher and a daemon. */
export type Via = 'alone' | 'daemon';

/** The way of calls for tests that do not choose one: `ISTHMUS_TEST_VIA`, stand-alone by default. */
export const VIA: Via = viaOf(process.env.ISTHMUS_TEST_VIA ?? 'alone');

/** The executable under test: dist/cni-plugin, or what ISTHMUS_TEST_PLUGIN names (another build, an installed one). */
export const pluginFile = resolve(process.env.ISTHMUS_TEST_PLUGIN ?? join(DIST, 'cni-plugin'));
export const daemonFile = join(DIST, 'cnm-shim');

let launcher: string | undefined;

/**
 * The executable installed under the plugin's names. Throws if it is not built: a test that needs it fails instead of
 * being skipped.
 */
export function installedFile(via: Via): string {
  if (via === 'alone') return built(pluginFile);
  launcher ??= installLauncher();
  return launcher;
}

/** Throws where the file has not been built. */
export function built(file: string): string {
  if (!existsSync(file)) throw new Error(`${file} is missing: run "npm run build"`);
  return file;
}

/** A launcher beside which the plugin is a witness of it: each time it is run it says so in `<run directory>/alone`. */
function installLauncher(): string {
  const dir = mkdtempSync(join(tmpdir(), 'isth-launcher-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  copyFileSync(built(join(DIST, 'launcher')), join(dir, 'launcher'));
  compileStatic([join(import.meta.dirname, 'witness.c')], join(dir, 'cni-plugin'), { PLUGIN: built(pluginFile) });
  return join(dir, 'launcher');
}

function viaOf(text: string): Via {
  if (text === 'alone' || text === 'daemon') return text;
  throw new Error(`ISTHMUS_TEST_VIA=${text}: neither alone nor daemon`);
}
