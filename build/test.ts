import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { TestEvent } from './mocha.ts';
import { type Pass, passesOf, RUNTIMES, type Runtime, runtimePasses, TIMES } from './passes.ts';
import { processorSeconds } from './processor-time.ts';
import { inRoot, provideRoot } from './runtimes.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
/** How long a process may run after its last test. */
const LINGER_MS = 10_000;
const EXCERPT_LINES = 15;
/** The page runs in a browser, whose types differ from Node's. */
const TYPECHECKS = ['.', 'cmd/cnm-shim/topology/page'] as const;

interface Tally {
  passed: number;
  readonly skipped: string[];
  readonly failures: string[];
  /** Seconds per file, by `<via> <path>`. */
  readonly seconds: Map<string, number>;
  /** Seconds of processor time, by folder. */
  readonly processor: Map<string, number>;
}

const emptyTally = (): Tally => ({ passed: 0, skipped: [], failures: [], seconds: new Map(), processor: new Map() });

/** The tally of each other runtime that tests ran with. */
type RuntimeTallies = Map<Runtime, Tally>;

interface Root {
  /** Resolves to undefined, and counts as one failure, if it cannot be made. */
  readonly path: Promise<string | undefined>;
  /** True once `path` has been settled. */
  isMade: boolean;
}

type Roots = ReadonlyMap<Runtime, Root>;

/**
 * Runs lint and type check (each counts as one test), then the mocha suites, a part of them a second time with trixie's
 * runtimes; with arguments, only the named files and directories. With `--runtimes trixie,sid` runs everything that
 * talks to a runtime, or the named files, with those runtimes only (see runtimes.ts), with the suite before titles.
 * Tests that call plugins run twice: stand-alone, and through the launcher to a daemon, with `daemon: ` before their
 * titles; ISTHMUS_TEST_VIA=alone or =daemon selects one of the two. ISTHMUS_TEST_JOBS sets the number of passes at a
 * time: by default two for each processor, at most six, since tests wait for half of their time.
 * ISTHMUS_TEST_TIMES=record writes each file's duration to build/test-times.json, which divides the passes. The last
 * line is `N passed, N failed`, plus `, N skipped` if any were, whatever happens to the tests' processes; before it
 * comes one for each other runtime, whose counts it includes. The exit code is 1 if anything failed, or, with CI set,
 * was skipped for a reason other than a feature that this kernel lacks.
 */
async function main(args: readonly string[]): Promise<void> {
  const own = emptyTally();
  const tallies: RuntimeTallies = new Map();
  try {
    const { names, runtimes } = wanted(args);
    const via = process.env.ISTHMUS_TEST_VIA;
    const passes =
      runtimes.length > 0 ? runtimes.flatMap((runtime) => runtimePasses(runtime, names, via)) : passesOf(names, via);
    const roots = provideRoots(tallies, passes);
    const checks =
      args.length > 0
        ? []
        : [
            check(own, 'lint', 'biome', ['check', '.']),
            ...TYPECHECKS.map((project) => check(own, `typecheck of ${project}`, 'tsc', ['--noEmit', '-p', project])),
          ];
    await Promise.all([...checks, runAll({ own, tallies, roots }, passes)]);
  } catch (error) {
    own.failures.push(String(error));
  }
  if (own.seconds.size > 1) {
    printSlowest(own.seconds);
    printFolders(own.processor);
    console.log(`\n${processorSeconds().children.toFixed(0)} s of processor time in ${process.uptime().toFixed(0)} s`);
  }
  if (process.env.ISTHMUS_TEST_TIMES === 'record') recordTimes(own.seconds);
  const all = [own, ...tallies.values()];
  for (const skipped of all.flatMap((tally) => tally.skipped)) console.log(`skipped: ${skipped}`);
  for (const failure of all.flatMap(({ failures }) => failures)) console.log(`failed: ${failure}`);
  for (const [runtime, tally] of tallies) console.log(`${runtime}: ${countsOf([tally])}`);
  console.log(countsOf(all));
  process.exitCode = all.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

/** Throws if a runtime is unknown. */
function wanted(args: readonly string[]): { readonly names: readonly string[]; readonly runtimes: readonly Runtime[] } {
  const options = { runtimes: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const runtimes = (values.runtimes?.split(',') ?? []).map((name) => {
    const known = RUNTIMES.find((runtime) => runtime === name);
    if (known === undefined) throw new Error(`--runtimes ${name}: not a runtime. Runtimes: ${RUNTIMES.join(', ')}`);
    return known;
  });
  return { names: positionals, runtimes };
}

function countsOf(tallies: readonly Tally[]): string {
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
  const skipped = sum((tally) => tally.skipped.length);
  const counts = `${sum(({ passed }) => passed)} passed, ${sum(({ failures }) => failures.length)} failed`;
  return skipped > 0 ? `${counts}, ${skipped} skipped` : counts;
}

/** Starts to make the roots that the passes need. */
function provideRoots(tallies: RuntimeTallies, passes: readonly Pass[]): Roots {
  const runtimes = new Set(passes.flatMap(({ runtime }) => runtime ?? []));
  const provide = async (runtime: Runtime, tally: Tally): Promise<string | undefined> => {
    try {
      return await provideRoot(runtime);
    } catch (error) {
      tally.failures.push(`${runtime}: ${error}`);
      return undefined;
    }
  };
  return new Map(
    [...runtimes].map((runtime) => {
      const tally = emptyTally();
      tallies.set(runtime, tally);
      const root = { path: provide(runtime, tally), isMade: false };
      void root.path.then(() => {
        root.isMade = true;
      });
      return [runtime, root] as const;
    }),
  );
}

/** Runs a check beside the tests; prints its output in one piece when it ends. */
async function check(tally: Tally, title: string, command: string, args: readonly string[]): Promise<void> {
  const child = spawn(join(BIN, command), args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = collect(child);
  const status = await new Promise((resolve) => {
    child.on('error', resolve).on('close', resolve);
  });
  process.stdout.write(`\n--- ${title}: ${command} ${args.join(' ')}\n${printed()}`);
  if (status === 0) tally.passed++;
  else tally.failures.push(title);
}

/** All that the child has printed so far. */
function collect({ stdout, stderr }: ChildProcess): () => string {
  const printed: Buffer[] = [];
  for (const stream of [stdout, stderr]) stream?.on('data', (chunk: Buffer) => printed.push(chunk));
  return () => Buffer.concat(printed).toString();
}

interface Run {
  readonly own: Tally;
  readonly tallies: RuntimeTallies;
  readonly roots: Roots;
}

/** Takes the first pass that can start: those whose root is still being made come last. */
function takeNext(waiting: Pass[], roots: Roots): Pass | undefined {
  const canStart = ({ runtime }: Pass): boolean => runtime === undefined || roots.get(runtime)?.isMade === true;
  return waiting.splice(Math.max(0, waiting.findIndex(canStart)), 1)[0];
}

/** Runs several passes at a time; prints each pass's output in one piece when it ends. */
async function runAll({ own, tallies, roots }: Run, passes: readonly Pass[]): Promise<void> {
  const waiting = [...passes];
  const live = passes.length === 1;
  const jobs = Number(process.env.ISTHMUS_TEST_JOBS ?? Math.min(6, 2 * availableParallelism()));
  const work = async (): Promise<void> => {
    for (let pass = takeNext(waiting, roots); pass !== undefined; pass = takeNext(waiting, roots)) {
      const { runtime } = pass;
      const root = runtime === undefined ? '/' : await roots.get(runtime)?.path;
      if (root === undefined) continue;
      if (!live) console.log(`running: ${pass.title}`);
      const tally = (runtime === undefined ? undefined : tallies.get(runtime)) ?? own;
      await runMocha({ tally, processor: own.processor }, pass, root, live);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, work));
}

/** Runs mocha in a separate process: a crash or hang counts as one more failure. */
function runMocha(
  { tally, processor }: Pick<Tally, 'processor'> & { readonly tally: Tally },
  { via, runtime, title, names }: Pass,
  root: string,
  live: boolean,
): Promise<void> {
  const own = emptyTally();
  const output = live ? 'inherit' : 'pipe';
  const words = ['node_modules/.bin/node', '--import=./build/test-cache.ts', 'build/mocha.ts', ...names];
  const [command = '', ...args] = runtime === undefined ? words : inRoot(root, words);
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ISTHMUS_TEST_VIA: via },
    stdio: ['ignore', output, output, 'ipc'],
  });
  const printed = collect(child);
  let done = false;
  let hung = false;
  let timer: NodeJS.Timeout | undefined;
  child.on('message', (message: TestEvent) => {
    if (message.event === 'done') {
      done = true;
      const folder = `${runtime === undefined ? '' : `${runtime} `}${via} ${dirname(names[0] ?? '')}`;
      processor.set(folder, (processor.get(folder) ?? 0) + message.processor);
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
      else if (!done) {
        const how = `${title}: the tests' process ended early (${signal ?? `exit ${code}`})`;
        own.failures.push([how, ...excerpt(lastLines(printed()))].join('\n'));
      } else if (code !== 0 && own.failures.length === 0) own.failures.push(`the tests' process: exit ${code}`);
      if (!live) process.stdout.write(`\n--- ${title}\n${printed()}`);
      const prefix = `${runtime === undefined ? '' : `${runtime}: `}${via === 'daemon' ? 'daemon: ' : ''}`;
      tally.passed += own.passed;
      tally.skipped.push(...own.skipped.map((test) => prefix + test));
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
    tally.skipped.push(`${event.title}: ${event.reason ?? 'no reason'}`);
    const kernel = /\bkernel\b/.test(event.reason ?? '');
    if (process.env.CI && !kernel) tally.failures.push(`${event.title}: skipped (${event.reason ?? 'no reason'})`);
  }
}

function printSlowest(seconds: ReadonlyMap<string, number>): void {
  const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, 20);
  console.log('\nslowest files, in seconds:');
  for (const [file, time] of slowest) console.log(`${time.toFixed(1).padStart(7)}  ${file}`);
}

/** Processor time of the passes by folder, the longest first. */
function printFolders(processor: ReadonlyMap<string, number>): void {
  console.log('\nprocessor time by folder, in seconds:');
  for (const [folder, seconds] of [...processor].sort(([, a], [, b]) => b - a))
    console.log(`${seconds.toFixed(0).padStart(7)}  ${folder}`);
}

/** Omits files that take less than a second. */
function recordTimes(seconds: ReadonlyMap<string, number>): void {
  const long = [...seconds].filter(([, time]) => time >= 1).map(([file, time]) => [file, Math.round(time)] as const);
  writeFileSync(TIMES, `${JSON.stringify(Object.fromEntries(long.sort()), null, 2)}\n`);
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-EXCERPT_LINES).join('\n');
}

/** The start of each failure, for readers who see only the end of the output. */
function excerpt(why: string): string[] {
  return why
    .split('\n')
    .slice(0, EXCERPT_LINES)
    .map((line) => `    ${line.slice(0, 300)}`);
}

await main(process.argv.slice(2));
