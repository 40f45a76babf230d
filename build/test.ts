import { fork, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { TestEvent } from './mocha.ts';
import { type Pass, passesOf } from './passes.ts';

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
 * they name. What calls plugins runs twice: stand-alone, and through the launcher to a daemon, with `daemon: ` in front
 * of its tests' titles; ISTHMUS_TEST_VIA=alone or =daemon asks for one of the two. ISTHMUS_TEST_JOBS of the passes run
 * at a time, two by default where there is more than one processor.
 * The last line is `N passed, N failed`, with `, N skipped` where any was, whatever happens to the tests' processes.
 * The exit code is 1 where anything failed, or, with CI set, was skipped for any other reason than that this kernel
 * lacks something.
 */
async function main(names: readonly string[]): Promise<void> {
  const tally: Tally = { passed: 0, skipped: 0, failures: [] };
  if (names.length === 0) {
    check(tally, 'lint', 'biome', ['check', '.']);
    check(tally, 'typecheck', 'tsc', ['--noEmit']);
  }
  await runAll(tally, passesOf(names, process.env.ISTHMUS_TEST_VIA));
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

/** Runs some of the passes at a time; what each of them has printed comes in one piece, at its end. */
async function runAll(tally: Tally, passes: readonly Pass[]): Promise<void> {
  const [only, ...more] = passes;
  if (only !== undefined && more.length === 0) return runMocha(tally, only, true);
  const waiting = passes.values();
  const jobs = Number(process.env.ISTHMUS_TEST_JOBS ?? Math.min(2, availableParallelism()));
  const work = async (): Promise<void> => {
    for (const pass of waiting) {
      console.log(`running: ${pass.title}`);
      await runMocha(tally, pass, false);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, work));
}

/** Runs mocha in a process of its own: what crashes or hangs it is one more failure. */
function runMocha(tally: Tally, { via, title, names }: Pass, live: boolean): Promise<void> {
  const own: Tally = { passed: 0, skipped: 0, failures: [] };
  const output = live ? 'inherit' : 'pipe';
  const child = fork(join(import.meta.dirname, 'mocha.ts'), names, {
    cwd: ROOT,
    execPath: join(BIN, 'node'),
    env: { ...process.env, ISTHMUS_TEST_VIA: via },
    stdio: ['ignore', output, output, 'ipc'],
  });
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => printed.push(chunk));
  let done = false;
  let hung = false;
  let timer: NodeJS.Timeout | undefined;
  child.on('message', (message: TestEvent) => {
    if (message.event === 'done') {
      done = true;
      timer = setTimeout(() => {
        hung = true;
        child.kill('SIGKILL');
        // Descendants that hold them open must not hold up the end.
        for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      }, LINGER_MS);
    } else count(own, message);
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (hung) own.failures.push(`the tests ended, their process did not within ${LINGER_MS / 1000} s`);
      else if (!done) own.failures.push(`the tests' process ended early (${signal ?? `exit ${code}`})`);
      else if (code !== 0 && own.failures.length === 0) own.failures.push(`the tests' process: exit ${code}`);
      if (!live) process.stdout.write(`\n--- ${title}\n${Buffer.concat(printed)}`);
      const prefix = via === 'daemon' ? 'daemon: ' : '';
      tally.passed += own.passed;
      tally.skipped += own.skipped;
      tally.failures.push(...own.failures.map((failure) => prefix + failure));
      resolve();
    });
  });
}

function count(tally: Tally, event: TestEvent): void {
  if (event.event === 'passed') tally.passed++;
  else if (event.event === 'failed') tally.failures.push([event.title, ...excerpt(event.why)].join('\n'));
  else if (event.event === 'skipped') {
    tally.skipped++;
    const kernel = /\bkernel\b/.test(event.reason ?? '');
    if (process.env.CI && !kernel) tally.failures.push(`${event.title}: skipped (${event.reason ?? 'no reason'})`);
  }
}

/** The beginning of what went wrong, for whoever sees the end of the output only. */
function excerpt(why: string): string[] {
  return why
    .split('\n')
    .slice(0, 15)
    .map((line) => `    ${line.slice(0, 300)}`);
}

await main(process.argv.slice(2));
