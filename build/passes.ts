import { basename, dirname } from 'node:path';
import { testFiles } from './test-files.ts';

/** Test files that one process runs, one after the other. */
export interface Pass {
  /** By what calls of plugins go: ISTHMUS_TEST_VIA of the process. */
  readonly via: 'alone' | 'daemon';
  readonly title: string;
  /** Files or directories. */
  readonly names: readonly string[];
}

/** Longest first, so that no processor is idle at the end. */
const ORDER = [
  'alone test/conformance, once',
  'alone test/e2e',
  'alone test/conformance',
  'alone test/netns',
  'daemon test/conformance',
  'daemon test/e2e',
];

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

/**
 * The passes that `names` stand for, all suites where there is none; only those of `via` where it is given. Where a
 * name is none of a test there is one pass, whose process will say so.
 */
export function passesOf(names: readonly string[], via?: string): Pass[] {
  const files = filesOf(names);
  if (files === undefined) return [{ via: 'alone', title: 'alone', names }];
  const passes = new Map<string, string[]>();
  const add = (pass: Pass['via'], file: string): void => {
    const title = `${pass} ${groupOf(file)}`;
    passes.set(title, [...(passes.get(title) ?? []), file]);
  };
  for (const file of files) {
    if (via !== 'daemon') add('alone', file);
    if (via !== 'alone' && goesBothWays(file)) add('daemon', file);
  }
  const rank = (title: string): number => (ORDER.includes(title) ? ORDER.indexOf(title) : ORDER.length);
  return [...passes]
    .map(([title, own]): Pass => ({ via: title.startsWith('daemon') ? 'daemon' : 'alone', title, names: own }))
    .sort((a, b) => rank(a.title) - rank(b.title));
}

/** The longest suite is two groups, so that both processors have their share of it. */
function groupOf(file: string): string {
  const suite = dirname(file);
  if (!ORDER.includes(`alone ${suite}`)) return 'the rest';
  return suite === 'test/conformance' && !goesBothWays(file) ? `${suite}, once` : suite;
}

function filesOf(names: readonly string[]): string[] | undefined {
  try {
    return testFiles(names);
  } catch {
    return undefined;
  }
}
