import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { testFiles } from './test-files.ts';

/** Test files that one process runs, one after the other. */
export interface Pass {
  /** By what calls of plugins go: ISTHMUS_TEST_VIA of the process. */
  readonly via: 'alone' | 'daemon';
  readonly title: string;
  /** Files or directories. */
  readonly names: readonly string[];
}

/** Seconds that each file takes, by `<via> <path from the root>`, as one run of ISTHMUS_TEST_TIMES has found them. */
export type Times = Readonly<Record<string, number>>;

/** Files that take less share a process, up to so many seconds: each process costs a second, and evens out the end. */
const PASS_SECONDS = 25;

/** Suites whose tests run a second time, with calls that go through the launcher to a daemon. */
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
 * Beginnings of names of files that bring their own launcher or daemon. What docker-coexistence calls for its pods is
 * what is under test.
 */
const OWN = /^(daemon|docker(?!-coexistence)|launcher|systemd)(-|$)/;

/** True where the tests of the file, a path from the root, are worth a second run. */
export function goesBothWays(file: string): boolean {
  const name = basename(file, '.test.ts');
  return (BOTH_WAYS as readonly string[]).includes(dirname(file)) && !OWN.test(name) && ONCE[name] === undefined;
}

/** What the last measured run took. A file that is not in it counts as a second. */
export function recordedTimes(): Times {
  return JSON.parse(readFileSync(TIMES, 'utf8'));
}

export const TIMES = join(import.meta.dirname, 'test-times.json');

/**
 * The passes that `names` stand for, all suites where there is none; only those of `via` where it is given. The longest
 * come first, so that all processes end at about the same time. Where a name is none of a test there is one pass, whose
 * process will say so.
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

/** Files of one suite share a process, in their order, as long as they are done in PASS_SECONDS. */
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
