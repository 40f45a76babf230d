import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PLUGIN, TOUR } from './demo/paths.ts';

/**
 * Demonstrates one network with two pods, an outside and a published port. The tour runs in its own namespaces
 * (network, mounts, and users if not root), which the kernel deletes with the last process, however that ends; this
 * process deletes the state directory. The exit code is the tour's, or 128 plus the signal's number.
 */
async function main(): Promise<number> {
  if (!existsSync(PLUGIN)) throw new Error('dist/cni-plugin is missing: run "npm run demo", which builds it');
  const stateDir = mkdtempSync(join(tmpdir(), 'isthmus-demo-'));
  try {
    return await runTour(stateDir);
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

function runTour(stateDir: string): Promise<number> {
  const users = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const separate = ['--net', '--mount', '--propagation', 'private', ...users, '--'];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', TOUR, stateDir];
  const tour = spawn('unshare', [...separate, ...node], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => tour.kill('SIGTERM'));
  return new Promise((settle, fail) => {
    tour.on('error', fail);
    tour.on('exit', (code, signal) => settle(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
