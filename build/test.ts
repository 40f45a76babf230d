import { fork, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { TestEvent } from './mocha.ts';
import { type Pass, passesOf, TIMES } from './passes.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
/** How long a process may run after its last test. */
const LINGER_MS = 10_000;

interface Tally {
  passed: number;
  skipped: number;
  readonly failures: string[];
  /** Seconds per file, by `<via> <path>`. */
  readonly seconds: Map<string, number>;
}

const emptyTally = (): Tally => ({ passed: 0, skipped: 0, failures: [], seconds: new Map() });

/**
 * Runs lint and type check (each counts as one test), then the mocha suites; with arguments, only the named files and
 * directories. Tests that call plugins run twice: stand-alone, and through the launcher to a daemon, with `daemon: `
 * before their titles; ISTHMUS_TEST_VIA=alone or =daemon selects one of the two. ISTHMUS_TEST_JOBS sets the number of
 * passes at a time: by default one more than there are processors, at most four, since tests wait for a third of their
 * time. ISTHMUS_TEST_TIMES=record writes each file's duration to build/test-times.json, which divides the passes.
 * The last line is `N passed, N failed`, plus `, N skipped` if any were, whatever happens to the tests' processes. The
 * exit code is 1 if anything failed, or, with CI set, was skipped for a reason other than a feature that this kernel
 * lacks.
 */
async function main(names: readonly string[]): Promise<void> {
  const tally = emptyTally();
  if (names.length === 0) {
    check(tally, 'lint', 'biome', ['check', '.']);
    check(tally, 'typecheck', 'tsc', ['--noEmit']);
  }
  await runAll(tally, passesOf(names, process.env.ISTHMUS_TEST_VIA));
  if (tally.seconds.size > 1) printSlowest(tally.seconds);
  if (process.env.ISTHMUS_TEST_TIMES === 'record') recordTimes(tally.seconds);
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

/** Runs several passes at a time; prints each pass's output in one piece when it ends. */
async function runAll(tally: Tally, passes: readonly Pass[]): Promise<void> {
  const [only, ...more] = passes;
  if (only !== undefined && more.length === 0) return runMocha(tally, only, true);
  const waiting = passes.values();
  const jobs = Number(process.env.ISTHMUS_TEST_JOBS ?? Math.min(4, availableParallelism() + 1));
  const work = async (): Promise<void> => {
    for (const pass of waiting) {
      console.log(`running: ${pass.title}`);
      await runMocha(tally, pass, false);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, work));
}

/** Runs mocha in a separate process: a crash or hang counts as one more failure. */
function runMocha(tally: Tally, { via, title, names }: Pass, live: boolean): Promise<void> {
  const own = emptyTally();
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
        // Descendants that hold the pipes open must not delay the end.
        for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      }, LINGER_MS);
    } else count(own, message, via);
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
      for (const [file, seconds] of own.seconds) tally.seconds.set(file, seconds);
      tally.failures.push(...own.failures.map((failure) => prefix + failure));
      resolve();
    });
  });
}

function count(tally: Tally, event: TestEvent, via: Pass['via']): void {
  if (event.event === 'passed') tally.passed++;
  else if (event.event === 'file') tally.seconds.set(`${via} ${event.file}`, event.ms / 1000);
  else if (event.event === 'failed') tally.failures.push([event.title, ...excerpt(event.why)].join('\n'));
  else if (event.event === 'skipped') {
    tally.skipped++;
    const kernel = /\bkernel\b/.test(event.reason ?? '');
    if (process.env.CI && !kernel) tally.failures.push(`${event.title}: skipped (${event.reason ?? 'no reason'})`);
  }
}

function printSlowest(seconds: ReadonlyMap<string, number>): void {
  const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, 20);
  console.log('\nslowest files, in seconds:');
  for (const [file, time] of slowest) console.log(`${time.toFixed(1).padStart(7)}  ${file}`);
}

/** Omits files that take less than a second. */
function recordTimes(seconds: ReadonlyMap<string, number>): void {
  const long = [...seconds].filter(([, time]) => time >= 1).map(([file, time]) => [file, Math.round(time)] as const);
  writeFileSync(TIMES, `${JSON.stringify(Object.fromEntries(long.sort()), null, 2)}\n`);
}

/** The start of each failure, for readers who see only the end of the output. */
function excerpt(why: string): string[] {
  return why
    .split('\n')
    .slice(0, 15)
    .map((line) => `    ${line.slice(0, 300)}`);
}

await main(process.argv.slice(2));
