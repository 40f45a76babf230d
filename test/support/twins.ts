import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { CniAnswer, PluginRun } from './cni.ts';
import { type DaemonBin, type DaemonSite, makeSite, type SiteCall, type SiteOptions, until } from './daemon-site.ts';
import { byTable, ruleset } from './filter-tools.ts';
import { FramePort } from './frames.ts';
import { ALONE } from './interleaved.ts';
import { assertSame } from './snapshot.ts';

/** One of two hosts that are built alike, and what its own calls were answered. */
export interface Twin {
  readonly site: DaemonSite;
  /** By pod: the answer of the ADD that attached it. */
  readonly attached: Map<number, CniAnswer>;
  /** Names, paths and identities of the host and its pods, and what a text has in their place. */
  readonly names: Map<string, string>;
  /** A program of the host, which may fail. */
  sh(script: string): void;
}

/** A call, by what each of the two hosts was answered before. */
export type TwinCall = (twin: Twin) => { readonly command: 'ADD' | 'CHECK' | 'DEL' | 'STATUS' | 'GC' } & SiteCall;

/** What a call came to, without the names that differ between the hosts. */
export interface TwinAnswer {
  /** Exit code and answer. */
  readonly text: string;
  /** MACs of interfaces that were announced on the bridge. */
  readonly announced: readonly string[];
}

/** Milliseconds until both hosts are the same: the daemons mend within one. */
const SAME_MS = 5000;
/** A pass has ended before the call did. */
const CAME_LATE = /^(?:(?! event=(?:ADD|DEL|CHECK|STATUS|GC) ).)* event=reconciled reason=change /s;
/** The daemon announces an interface after its answer, within 0.1 s. */
const ANNOUNCED_MS = 500;

/** Two hosts to which the same is done: on `old` one daemon runs all the time, on `fresh` it is started anew. */
export class Twins implements Disposable {
  readonly old: Twin;
  readonly fresh: Twin;
  readonly both: readonly [Twin, Twin];

  constructor(bin: DaemonBin, options: SiteOptions) {
    this.old = twinOf(makeSite(bin, options));
    this.fresh = twinOf(makeSite(bin, options));
    this.both = [this.old, this.fresh];
  }

  /** The daemon of `fresh` is gone, without a chance to do anything. */
  async stopFresh(): Promise<void> {
    await this.fresh.site.daemon.end('SIGKILL');
  }

  /** The daemon of `old` has restored what it restores, as a daemon does when it starts. */
  async settleOld(): Promise<void> {
    const { daemon } = this.old.site;
    const passes = (): number =>
      daemon.log().match(/ event=reconciled reason=SIGHUP |event=reconcile.failed/g)?.length ?? 0;
    const before = passes();
    daemon.child.kill('SIGHUP');
    await until(() => passes() > before, 'the pass is over');
  }

  /** The call on both hosts at once after a change, in the order in which `old` came to the call and its own repair. */
  async callAtOnce(call: TwinCall): Promise<readonly [string, string]> {
    const { daemon } = this.old.site;
    const since = daemon.log().length;
    const old = await this.callOn(this.old, call);
    const isRepaired = CAME_LATE.test(daemon.log().slice(since));
    if (isRepaired) await this.fresh.site.start();
    const fresh = await this.callOn(this.fresh, call, true);
    if (!isRepaired) await this.fresh.site.start();
    await this.settleOld();
    return [old, fresh];
  }

  /** The same call on both hosts, by their daemons. */
  async call(call: TwinCall): Promise<readonly [TwinAnswer, TwinAnswer]> {
    using old = framesOf(this.old);
    using fresh = framesOf(this.fresh);
    const [first, second] = await Promise.all([this.callOn(this.old, call), this.callOn(this.fresh, call)]);
    const answers = (): readonly [TwinAnswer, TwinAnswer] => [
      { text: first, announced: old.announced() },
      { text: second, announced: fresh.announced() },
    ];
    const end = performance.now() + ANNOUNCED_MS;
    while (performance.now() < end && !isDeepStrictEqual(old.announced(), fresh.announced())) await sleep(10);
    return answers();
  }

  /** Returns the exit code and the answer. `isAlone`: by the stand-alone plugin, which knows nothing from before. */
  async callOn(twin: Twin, call: TwinCall, isAlone = false): Promise<string> {
    const { command, ...more } = call(twin);
    const run = await twin.site.begin(command, { ...more, ...(isAlone ? ALONE : {}) }).done;
    note(twin, command, more.pod, run);
    return neutral(twin, `${run.code} ${JSON.stringify(run.json)}`);
  }

  /** Throws with the lines that differ unless both hosts become the same. */
  async assertSame(what: string): Promise<void> {
    const end = performance.now() + SAME_MS;
    for (;;) {
      const [old, fresh] = this.both.map(hostText) as [string, string];
      if (old === fresh) return;
      if (performance.now() > end) assertSame(old, fresh, what);
      await sleep(50);
    }
  }

  [Symbol.dispose](): void {
    using _old = this.old?.site;
    using _fresh = this.fresh?.site;
  }
}

export function twinOf(site: DaemonSite): Twin {
  const { ns } = site.host;
  const names = new Map<string, string>();
  learnNames({ site, names });
  return {
    site,
    names,
    attached: new Map(),
    sh: (script) => void ns.run('sh', '-c', `(${script}) >/dev/null 2>&1; true`),
  };
}

function note({ attached }: Twin, command: string, pod: number | undefined, { code, json }: PluginRun): void {
  if (pod === undefined || code !== 0) return;
  if (command === 'ADD' && json !== undefined) attached.set(pod, json);
  if (command === 'DEL') attached.delete(pod);
}

/** Senders of ARP that the bridge has seen, in order of their MACs; none without a bridge that is up. */
function framesOf({ site }: Twin): Disposable & { announced(): readonly string[] } {
  const isThere = site.host.ns.ip('-br', 'link', 'show', 'up', 'type', 'bridge').includes('isth0');
  const port = isThere ? new FramePort(site.host.ns, 'isth0') : undefined;
  const macs = new Set<string>();
  return {
    announced: () => {
      for (const frame of seenBy(port))
        if (frame.readUInt16BE(12) === ETH_P_ARP) macs.add(frame.toString('hex', 6, 12));
      return [...macs].sort();
    },
    [Symbol.dispose]: () => port?.[Symbol.dispose](),
  };
}

/** ENETDOWN once the bridge is down or gone. */
function seenBy(port: FramePort | undefined): readonly Buffer[] {
  try {
    return port?.seen() ?? [];
  } catch (error) {
    if (String(error).includes('Network is down')) return [];
    throw error;
  }
}

const ETH_P_ARP = 0x0806;

/** Settings of the bridge and of forwarding that `snapshot` does not read. */
const SETTINGS = `cd /proc/sys/net; for f in ipv4/conf/isth0 ipv6/conf/isth0; do grep -sH '' $f/*; done; true`;

/** What the kernel makes up or counts. */
const MADE_UP = /stable_secret|mc_forwarding|\/mtu:/;

/** Everything of a host that calls and passes may change, without what differs between hosts that are alike. */
function hostText(twin: Twin): string {
  const { host } = twin.site;
  const settings = host.ns.run('sh', '-c', SETTINGS).split('\n');
  const kept = settings.filter((line) => !MADE_UP.test(line)).join('\n');
  const [nft = '', ...legacy] = ruleset(host.ns).split(/^(?=ip6?tables-legacy$)/m);
  const filters = neutral(twin, [byTable(`${nft.trim()}\n`), ...legacy].join('\n'));
  // Sorted once more: packet counts were in it.
  const lines = neutral(twin, `${host.snapshot({ volatile: [] })}\n${kept}`)
    .split('\n')
    .map(inOrder);
  return [...lines.sort(), filters].join('\n');
}

function neutral({ names }: Pick<Twin, 'names'>, text: string): string {
  const known = [...names].reduce((rest, [name, to]) => rest.replaceAll(name, to), text);
  return MOMENTARY.reduce((rest, [pattern, to]) => rest.replace(pattern, to), known);
}

/** What a network owns is recorded in the order in which passes and calls restored it. */
function inOrder(line: string): string {
  return line.replace(/(?<=\\"owned\\":\[)(.*?)(?=\](,\\"|\}"))/, (list) =>
    list
      .split(/(?<=\}),(?=\{)/)
      .sort()
      .join(),
  );
}

/** Times, packet counts, and what a broken database held. */
const MOMENTARY: readonly (readonly [RegExp, string])[] = [
  [/("key":"rebuilt:[^"]*"),"value":"\d+"/g, '$1'],
  [/counter packets \d+ bytes \d+/g, 'counter'],
  [/^(state\.db\.corrupt-)\d+(\S*).*$/gm, '$1$2'],
];

/** `names` also has the namespaces that the paths lead to now. */
export function learnNames({ site: { host }, names }: Pick<Twin, 'site' | 'names'>): void {
  using linux = openLinuxHost();
  names.set(host.stateDir.replace(/\/state$/, ''), 'ROOT');
  for (const [i, { name, path }] of [host.ns, ...host.pods].entries()) {
    using ns = linux.open(path);
    names.set(name, `ns${i}`);
    if (!names.has(ns.id)) names.set(ns.id, `id${names.size}`);
  }
}
