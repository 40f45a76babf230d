import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { testFiles } from './test-files.ts';

/** Test files that one process runs in sequence. */
export interface Pass {
  /** How plugin calls are made: ISTHMUS_TEST_VIA of the process. */
  readonly via: 'alone' | 'daemon';
  readonly title: string;
  /** Files or directories. */
  readonly names: readonly string[];
}

/** Seconds per file, by `<via> <path from the root>`, as recorded by a run with ISTHMUS_TEST_TIMES. */
export type Times = Readonly<Record<string, number>>;

/**
 * Short files share a process, up to this many seconds: starting a process costs a second, but small passes balance the
 * end.
 */
const PASS_SECONDS = 25;

/** Suites whose tests run a second time, with calls through the launcher to a daemon. */
export const BOTH_WAYS = ['test/conformance', 'test/e2e'] as const;

/** Files of these suites that run once, and why. */
export const ONCE: Readonly<Record<string, string>> = {
  'both-ways': 'goes both ways by itself',
  'both-ways-load': 'goes both ways by itself',
  'code-cache': "is about the plugin's own start",
  crash: "kills the plugin at its system calls; daemon-killed does the daemon's part",
  demo: 'is the demonstration, which brings its own calls',
  'firewall-crash': "kills the plugin at its system calls; daemon-killed does the daemon's part",
  overlap: 'holds the plugin at its system calls; both-ways-load lets calls of both overlap',
  package: 'is about how executables are made',
  readme: 'installs what it needs itself, the daemon too',
  reboot: 'calls with the boot id of another boot, which no daemon can live through',
  'test-host': 'is about the tests themselves',
};

/**
 * Prefixes of test files that bring their own launcher or daemon. docker-coexistence tests the calls that it makes for
 * its pods.
 */
const OWN = /^(daemon|docker(?!-coexistence)|launcher|reach|systemd)(-|$)/;

/** True if the tests of the file, a path from the root, should run a second time. */
export function goesBothWays(file: string): boolean {
  const name = basename(file, '.test.ts');
  return (BOTH_WAYS as readonly string[]).includes(dirname(file)) && !OWN.test(name) && ONCE[name] === undefined;
}

/** The times of the last recorded run. A file without a time counts as one second. */
export function recordedTimes(): Times {
  return JSON.parse(readFileSync(TIMES, 'utf8'));
}

export const TIMES = join(import.meta.dirname, 'test-times.json');

/**
 * The passes for `names` (default: all suites), only those of `via` if given. The longest come first, so that all
 * processes end at about the same time. If a name matches no test, returns one pass, whose process reports it.
 */
export function passesOf(names: readonly string[], via?: string, times: Times = recordedTimes()): Pass[] {
  const files = filesOf(names);
  if (files === undefined) return [{ via: 'alone', title: 'alone', names }];
  const alone = via === 'daemon' ? [] : files;
  const daemon = via === 'alone' ? [] : files.filter(goesBothWays);
  return [...packed('alone', alone, times), ...packed('daemon', daemon, times)]
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ seconds: _, ...pass }) => pass);
}

interface Packed extends Pass {
  readonly seconds: number;
}

/** Groups files of one suite into processes, in order, up to PASS_SECONDS each. */
function packed(via: Pass['via'], files: readonly string[], times: Times): Packed[] {
  const passes: { suite: string; seconds: number; names: string[] }[] = [];
  for (const file of files) {
    const [suite, seconds] = [dirname(file), times[`${via} ${file}`] ?? 1];
    const open = passes.find((pass) => pass.suite === suite && pass.seconds + seconds <= PASS_SECONDS);
    if (open === undefined) passes.push({ suite, seconds, names: [file] });
    else {
      open.seconds += seconds;
      open.names.push(file);
    }
  }
  return passes.map(({ suite, seconds, names }) => {
    const short = names.map((name) => basename(name, '.test.ts')).join(' ');
    return { via, seconds, names, title: `${via} ${suite}: ${short}` };
  });
}

function filesOf(names: readonly string[]): string[] | undefined {
  try {
    return testFiles(names);
  } catch {
    return undefined;
  }
}
