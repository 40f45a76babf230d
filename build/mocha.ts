import { globSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import Mocha from 'mocha';

const ROOT = join(import.meta.dirname, '..');
const SUITES = ['unit', 'property', 'golden', 'arch', 'netns', 'conformance', 'e2e'] as const;

/** What this process tells its parent about each test, as it happens: a crash loses no count. */
export type TestEvent =
  | { readonly event: 'passed' }
  | { readonly event: 'failed'; readonly title: string }
  | { readonly event: 'skipped'; readonly title: string; readonly reason?: string }
  | { readonly event: 'done' };

/**
 * The test files that `names` stand for, in the order given: a directory means those in it, no name means all suites.
 * Throws where a name stands for no test, so that a misspelt one does not pass.
 */
export function testFiles(names: readonly string[]): string[] {
  if (names.length === 0) return SUITES.flatMap((suite) => inDirectory(join('test', suite)));
  return names.flatMap((name) => {
    const path = relative(ROOT, name);
    const stat = statSync(join(ROOT, path), { throwIfNoEntry: false });
    const files = stat?.isDirectory() ? inDirectory(path) : stat === undefined ? [] : [path];
    if (files.length === 0) throw new Error(`${name}: no such test file, and no directory with *.test.ts in it`);
    return files;
  });
}

function inDirectory(path: string): string[] {
  return globSync(`${path}/**/*.test.ts`, { cwd: ROOT }).sort();
}

/** Runs the files one after the other in this process, with the options of package.json. */
async function run(files: readonly string[]): Promise<void> {
  const manifest: { mocha: Mocha.MochaOptions } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const mocha = new Mocha({ ...manifest.mocha, reporter: 'spec' });
  for (const file of files) mocha.addFile(join(ROOT, file));
  await mocha.loadFilesAsync();
  const reasons = recordReasons();
  const runner = mocha.run((failures) => {
    process.exitCode = failures > 0 ? 1 : 0;
    tell({ event: 'done' });
    process.disconnect?.();
  });
  runner.on('test', reasons.clear);
  runner.on('hook', (hook) => {
    if (hook.title.includes('"before all"')) reasons.clear();
  });
  runner.on('pass', () => tell({ event: 'passed' }));
  runner.on('fail', (test) => tell({ event: 'failed', title: test.fullTitle() }));
  runner.on('pending', (test) => {
    const reason = reasons.last();
    tell({ event: 'skipped', title: test.fullTitle(), ...(reason === undefined ? {} : { reason }) });
  });
}

/** Keeps what tests print as `skipped: <reason>` before they skip. */
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

if (import.meta.main) await run(testFiles(process.argv.slice(2)));
