import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { testFiles } from './test-files.ts';

/** Later releases of Debian, by suite: what tests talk to has other versions there (see runtimes.ts). */
export const RUNTIMES = ['trixie', 'sid'] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** Test files that one process runs in sequence. */
export interface Pass {
  /** Absent: with what this machine has installed. */
  readonly runtime?: Runtime;
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
  'cluster-verbs': 'starts daemons of its own',
  completion: 'is about the verbs',
  'code-cache': "is about the plugin's own start",
  crash: "kills the plugin at its system calls; daemon-killed does the daemon's part",
  demo: 'is the demonstration, which brings its own calls',
  docs: 'installs what it needs itself, the daemon too',
  firewalld: 'goes both ways by itself',
  'firewalld-sources': 'goes both ways by itself',
  explain: 'compares a script with what the plugin does by itself',
  'remote-killed': 'kills the plugin while it waits',
  'firewall-crash': "kills the plugin at its system calls; daemon-killed does the daemon's part",
  'held-ports': 'starts daemons of its own',
  install: 'starts daemons of its own',
  'json-keys': 'reads records, which are the same whoever wrote them',
  'overlay-examples': 'starts daemons of its own',
  overlap: 'holds the plugin at its system calls; both-ways-load lets calls of both overlap',
  package: 'is about how executables are made',
  packages: 'starts daemons of its own',
  'program-names': 'is about the names of the executable',
  proxy6to4: 'starts daemons of its own',
  reboot: 'calls with the boot id of another boot, which no daemon can live through',
  runtimes: 'is about the tests themselves',
  'support-bundle': 'starts daemons of its own',
  'test-host': 'is about the tests themselves',
  topology: 'reads records, which are the same whoever wrote them',
  'topology-page': 'makes no calls',
  verbs: 'reads records, which are the same whoever wrote them',
};

/** Files of test/conformance that talk to nft, iptables, systemd or the reference's plugins. */
const CONFORMANCE = [
  ...['bandwidth', 'bandwidth-attachments', 'copies', 'daemon-behind'],
  ...['defects-attachments', 'defects-dhcp', 'defects-drivers', 'defects-lifecycle', 'defects-ports', 'defects-wire'],
  ...['docker-lists', 'examples', 'firewall-crash', 'firewall-defects', 'firewall-lifecycle', 'firewall-scale'],
  ...['reboot', 'router-advertisements', 'systemd', 'systemd-machine', 'transcripts', 'tuning', 'two-nodes'],
];

/** What runs with another runtime. */
const TALKATIVE = [
  ...['test/e2e', 'test/netns', 'test/golden/firewall-iptables.test.ts', 'test/golden/firewall-nftables.test.ts'],
  ...CONFORMANCE.map((name) => `test/conformance/${name}.test.ts`),
];

/** Files of those that prove nothing on a second runtime, and why. */
export const SAME_EVERYWHERE: Readonly<Record<string, string>> = {
  completion: 'is about the verbs',
  'remote-gone': 'has a plugin that Go builds, and a later root has no Go',
  remote: 'has a plugin that Go builds, and a later root has no Go',
  'remote-killed': 'has a plugin that Go builds, and a later root has no Go',
  'remote-runtimes': 'has a plugin that Go builds, and a later root has no Go',
  'code-cache': "is about the plugin's own start",
  'cluster-store-zookeeper': 'needs Java, and a later root has none',
  'cluster-store-zookeeper-auth': 'needs Java, and a later root has none',
  'cluster-store-zookeeper-faults': 'needs Java, and a later root has none',
  'cluster-store-zookeeper-members': 'needs Java, and a later root has none',
  'cluster-store-zookeeper-scale': 'needs Java, and a later root has none',
  'core-crash': 'is about the store and the kernel',
  'daemon-run-dir': "is about the daemon's directory",
  'daemon-signals': 'is about the daemon',
  demo: 'is about what it prints',
  firewalld: 'needs a firewall manager, and a later root has none',
  'firewalld-sources': 'needs a firewall manager, and a later root has none',
  install: 'has a Debian of its own',
  'link-remover': 'is about the kernel',
  'netlink-async': 'is about the kernel',
  'offer-crash': 'is about the store and the kernel',
  'parented-crash': 'is about the store and the kernel',
  package: 'is about how executables are made',
  packages: 'has a Debian of its own',
  podman: 'needs podman 4: later ones know no CNI',
  'podman-default': 'needs podman 4: later ones know no CNI',
  'podman-networks': 'needs podman 4: later ones know no CNI',
  'reach-docker-firewalld': 'needs a firewall manager, and a later root has none',
  'reach-firewalld': 'needs a firewall manager, and a later root has none',
  'reach-managers': 'needs a firewall manager, and a later root has none',
  'reach-shorewall': 'needs a firewall manager, and a later root has none',
  runtimes: 'is about the tests themselves',
};

/**
 * What a whole test run repeats with trixie's runtimes, stand-alone: what has differed between versions, or talks to
 * most of what has other versions.
 */
const AGAIN = [
  ...['cri', 'cri-firewall', 'ctr'],
  ...['docker-coexistence', 'docker-compose', 'docker-networks', 'docker-ports', 'docker-restart', 'docker-run'],
]
  .map((name) => `test/e2e/${name}.test.ts`)
  .concat(
    ['admit', 'bridge-guard', 'iptables', 'nftables', 'nftables-losses'].map((name) => `test/netns/${name}.test.ts`),
  )
  .concat('test/golden/firewall-nftables.test.ts');

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
  const again = names.length > 0 || via === 'daemon' ? [] : AGAIN;
  return longestFirst([
    ...packed({ via: 'alone' }, alone, times),
    ...packed({ via: 'daemon' }, daemon, times),
    ...packed({ via: 'alone', runtime: 'trixie' }, again, times),
  ]);
}

/**
 * The passes with another runtime for `names` (default: all that talk to one), as `passesOf`. Only e2e goes both ways:
 * how a call comes makes no difference to nft or the reference.
 */
export function runtimePasses(
  runtime: Runtime,
  names: readonly string[],
  via?: string,
  times = recordedTimes(),
): Pass[] {
  const files = names.length > 0 ? filesOf(names) : testFiles(TALKATIVE).filter(differs);
  if (files === undefined) return [{ via: 'alone', runtime, title: `${runtime} alone`, names }];
  const daemon = files.filter((file) => goesBothWays(file) && dirname(file) === 'test/e2e');
  return longestFirst([
    ...packed({ via: 'alone', runtime }, via === 'daemon' ? [] : files, times),
    ...packed({ via: 'daemon', runtime }, via === 'alone' ? [] : daemon, times),
  ]);
}

const differs = (file: string): boolean => SAME_EVERYWHERE[basename(file, '.test.ts')] === undefined;

interface Packed extends Pass {
  readonly seconds: number;
}

const longestFirst = (passes: readonly Packed[]): Pass[] =>
  passes.toSorted((a, b) => b.seconds - a.seconds).map(({ seconds: _, ...pass }) => pass);

/** Groups files of one suite into processes, in order, up to PASS_SECONDS each. */
function packed(how: Pick<Pass, 'via' | 'runtime'>, files: readonly string[], times: Times): Packed[] {
  const { via, runtime } = how;
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
    return { ...how, seconds, names, title: `${runtime === undefined ? '' : `${runtime} `}${via} ${suite}: ${short}` };
  });
}

function filesOf(names: readonly string[]): string[] | undefined {
  try {
    return testFiles(names);
  } catch {
    return undefined;
  }
}
