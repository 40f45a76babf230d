import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import Mocha from 'mocha';
import { processorSeconds } from './processor-time.ts';
import { testFiles } from './test-files.ts';

const ROOT = join(import.meta.dirname, '..');

/** Reports each test to the parent process as it ends, so that a crash loses no count. */
export type TestEvent =
  | { readonly event: 'passed' }
  | { readonly event: 'failed'; readonly title: string; readonly why: string }
  | { readonly event: 'skipped'; readonly title: string; readonly reason?: string }
  | { readonly event: 'file'; readonly file: string; readonly ms: number }
  /** With the processor time of the process and its children, in seconds. */
  | { readonly event: 'done'; readonly processor: number };

/** Runs the files in sequence in this process, with the options of package.json. */
async function run(files: readonly string[]): Promise<void> {
  const manifest: { mocha: Mocha.MochaOptions } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const mocha = new Mocha({ ...manifest.mocha, reporter: 'spec' });
  for (const file of files) mocha.addFile(join(ROOT, file));
  await mocha.loadFilesAsync();
  const reasons = recordReasons();
  const times = new Map<string, number>();
  const runner = mocha.run((failures) => {
    process.exitCode = failures > 0 ? 1 : 0;
    for (const [file, ms] of times) tell({ event: 'file', file: relative(ROOT, file), ms: Math.round(ms) });
    const { own, children } = processorSeconds();
    tell({ event: 'done', processor: own + children });
    process.disconnect?.();
  });
  runner.on('test', reasons.clear);
  runner.on('hook', (hook) => {
    if (hook.title.includes('"before all"')) reasons.clear();
  });
  timeFiles(runner, times);
  runner.on('pass', () => tell({ event: 'passed' }));
  runner.on('fail', (test, error) => tell({ event: 'failed', title: test.fullTitle(), why: String(error?.stack) }));
  runner.on('pending', (test) => {
    const reason = reasons.last();
    tell({ event: 'skipped', title: test.fullTitle(), ...(reason === undefined ? {} : { reason }) });
  });
}

/** Sums the durations of each file's outermost blocks, including their hooks. */
function timeFiles(runner: Mocha.Runner, times: Map<string, number>): void {
  let since = 0;
  const isOutermost = ({ parent }: Mocha.Suite): boolean => parent?.root === true;
  runner.on('suite', (suite) => {
    if (isOutermost(suite)) since = performance.now();
  });
  runner.on('suite end', (suite) => {
    const { file = '' } = suite;
    if (isOutermost(suite)) times.set(file, (times.get(file) ?? 0) + performance.now() - since);
  });
}

/** Collects the reasons that tests print as `skipped: <reason>` before they skip. */
function recordReasons(): { readonly last: () => string | undefined; readonly clear: () => void } {
  let reason: string | undefined;
  const { log } = console;
  console.log = (...args: unknown[]): void => {
    reason = /^\s*skipped: (.*)/.exec(String(args[0]))?.[1] ?? reason;
    log(...args);
  };
  return {
    last: () => reason,
    clear: () => {
      reason = undefined;
    },
  };
}

function tell(event: TestEvent): void {
  process.send?.(event);
}

await run(testFiles(process.argv.slice(2)));
