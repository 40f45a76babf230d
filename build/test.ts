import { fork, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestEvent } from './mocha.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
/** How long a run may go on after its last test. */
const LINGER_MS = 10_000;

interface Tally {
  passed: number;
  skipped: number;
  readonly failures: string[];
}

/**
 * Lint and type check (each counts as one), then the mocha suites; with arguments only the files and directories that
 * they name. The last line is `N passed, N failed`, with `, N skipped` where any was, whatever happens to the tests'
 * process. The exit code is 1 where anything failed, or, with CI set, was skipped for any other reason than that
 * this kernel lacks something.
 */
async function main(names: readonly string[]): Promise<void> {
  const tally: Tally = { passed: 0, skipped: 0, failures: [] };
  if (names.length === 0) {
    check(tally, 'lint', 'biome', ['check', '.']);
    check(tally, 'typecheck', 'tsc', ['--noEmit']);
  }
  await runMocha(tally, names);
  for (const failure of tally.failures) console.log(`failed: ${failure}`);
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  console.log(`${tally.passed} passed, ${tally.failures.length} failed${skipped}`);
  process.exitCode = tally.failures.length > 0 ? 1 : 0;
}

function check(tally: Tally, title: string, command: string, args: readonly string[]): void {
  console.log(`${title}: ${command} ${args.join(' ')}`);
  const { status } = spawnSync(join(BIN, command), args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) tally.passed++;
  else tally.failures.push(title);
}

/** Runs mocha in a process of its own: what crashes or hangs it is one more failure. */
function runMocha(tally: Tally, names: readonly string[]): Promise<void> {
  const child = fork(join(import.meta.dirname, 'mocha.ts'), names, {
    cwd: ROOT,
    execPath: join(BIN, 'node'),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let done = false;
  let hung = false;
  let timer: NodeJS.Timeout | undefined;
  child.on('message', (message: TestEvent) => {
    if (message.event === 'done') {
      done = true;
      timer = setTimeout(() => {
        hung = true;
        child.kill('SIGKILL');
      }, LINGER_MS);
    } else count(tally, message);
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (hung) tally.failures.push(`the tests ended, their process did not within ${LINGER_MS / 1000} s`);
      else if (!done) tally.failures.push(`the tests' process ended early (${signal ?? `exit ${code}`})`);
      else if (code !== 0 && tally.failures.length === 0) tally.failures.push(`the tests' process: exit ${code}`);
      resolve();
    });
  });
}

function count(tally: Tally, event: TestEvent): void {
  if (event.event === 'passed') tally.passed++;
  else if (event.event === 'failed') tally.failures.push(event.title);
  else if (event.event === 'skipped') {
    tally.skipped++;
    const kernel = /\bkernel\b/.test(event.reason ?? '');
    if (process.env.CI && !kernel) tally.failures.push(`${event.title}: skipped (${event.reason ?? 'no reason'})`);
  }
}

await main(process.argv.slice(2));
