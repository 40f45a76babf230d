import { invalid } from '../config/invalid.ts';
import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Logger } from '../log/log.ts';
import type { FirewallEntry, SourceEntry } from '../model/firewall.ts';
import { formatPrefix, parsePrefix } from '../model/prefix.ts';
import { openNetfilter } from '../netlink/nfnetlink.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { type BusAnswer, callFirewalld } from './firewalld-bus.ts';
import { hasFirewalldRules } from './firewalld-rules.ts';
import type { Firewaller, Wanted } from './firewaller.ts';

/** The source is in this zone already. */
const THERE: readonly (string | undefined)[] = ['ZONE_ALREADY_SET', 'ALREADY_ENABLED'];
/** The source is not in this zone: nothing to remove. */
const GONE: readonly (string | undefined)[] = ['UNKNOWN_SOURCE', 'NOT_ENABLED', 'ZONE_CONFLICT', 'INVALID_ZONE'];

/**
 * Addresses of pods as sources of firewalld's zones, in its runtime configuration only. firewalld does not record who
 * added a source, so this class removes only sources that an entry names. Runs no program while firewalld does not run.
 */
export class FirewalldSources implements Firewaller {
  readonly backend = 'firewalld';
  readonly #ns: LinuxNamespace;
  readonly #log: Pick<Logger, 'warn'> | undefined;
  /** Null if the kernel has no netfilter. */
  #opened: NetlinkSocket | null | undefined;

  constructor(ns: LinuxNamespace, log?: Pick<Logger, 'warn'>) {
    this.#ns = ns;
    this.#log = log;
  }

  /**
   * Throws NetError `invalid-config` for a zone that firewalld lacks, `conflict` for a source that is in another zone.
   * If firewalld does not answer, only an entry that requires it fails: `unavailable`.
   */
  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    for (const { zone, source, required } of sourcesIn(entries)) {
      const answer = await callFirewalld(this.#ns, 'addSource', zone, source);
      if (answer.ok || THERE.includes(answer.code)) continue;
      if (answer.code !== undefined || required) throw refusal(answer, zone, source);
      this.#log?.warn('firewalld.failed', { source, zone, error: answer.text });
    }
    return false;
  }

  /** Keeps sources of the permanent configuration. If firewalld does not answer, logs a warning and succeeds. */
  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    const sources = sourcesIn(entries);
    if (sources.length === 0 || !this.#isRunning()) return [];
    const errors: NetError[] = [];
    for (const { zone, source } of sources) {
      const permanent = await callFirewalld(this.#ns, 'permanentZoneOfSource', source);
      if (permanent.ok && permanent.text === zone) continue;
      const answer = await callFirewalld(this.#ns, 'removeSource', zone, source);
      if (answer.ok || GONE.includes(answer.code)) continue;
      if (answer.code === undefined) this.#log?.warn('firewalld.failed', { source, zone, error: answer.text });
      else errors.push(refusal(answer, zone, source));
    }
    return errors;
  }

  /** Calls firewalld once for each zone. Empty while firewalld does not run. */
  async missing(entries: readonly FirewallEntry[]): Promise<FirewallEntry[]> {
    const sources = sourcesIn(entries);
    if (sources.length === 0 || !this.#isRunning()) return [];
    const missing: SourceEntry[] = [];
    for (const [zone, list] of Map.groupBy(sources, (entry) => entry.zone)) {
      const { ok, output = '' } = await callFirewalld(this.#ns, 'sources', zone);
      const there = new Set(ok ? prefixesIn(output) : []);
      missing.push(...list.filter(({ source }) => !there.has(source)));
    }
    return missing;
  }

  async removeStray(): Promise<NetError[]> {
    return [];
  }

  /** Adds what is missing; removes nothing. */
  async reset(read: () => Wanted): Promise<void> {
    const missing = await this.missing(read().entries);
    const errors: NetError[] = [];
    for (const entry of missing) {
      try {
        await this.add([entry]);
      } catch (thrown) {
        errors.push(asNetError(thrown, 'firewall.reset'));
      }
    }
    if (errors[0] !== undefined) throw errors[0];
  }

  async refresh(): Promise<void> {}

  [Symbol.dispose](): void {
    this.#opened?.[Symbol.dispose]();
    this.#opened = undefined;
  }

  #isRunning(): boolean {
    this.#opened ??= this.#ns.within(openNetfilter) ?? null;
    return this.#opened !== null && hasFirewalldRules(this.#opened);
  }
}

function sourcesIn(entries: readonly FirewallEntry[]): SourceEntry[] {
  return entries.filter((entry) => entry.kind === 'source');
}

/** The prefixes in an answer of any of the programs, as `formatPrefix` writes them; an address is a whole prefix. */
export function prefixesIn(output: string): string[] {
  return output.split(/[\s"]+/).flatMap((word) => {
    if (!/^[\da-f]*[.:][\da-f.:]+(\/\d+)?$/i.test(word)) return [];
    const bits = word.includes(':') ? 128 : 32;
    const prefix = parsePrefix(word.includes('/') ? word : `${word}/${bits}`);
    return prefix === undefined ? [] : [formatPrefix(prefix)];
  });
}

function refusal({ code, text }: BusAnswer, zone: string, source: string): NetError {
  if (code === 'INVALID_ZONE') {
    const hint = `Give one that "firewall-cmd --get-zones" lists, or make it: firewall-cmd --permanent --new-zone=${zone}; firewall-cmd --reload`;
    return invalid('.firewalldZone', zone, 'firewalld has no such zone', hint);
  }
  if (code === 'ZONE_CONFLICT') {
    const hint = `Take it out (firewall-cmd --zone=<zone> --remove-source=${source}), or name its zone in .firewalldZone`;
    return fault.conflict('firewalld', `source ${source}`, `it is in another zone than ${zone}`, hint);
  }
  const hint = 'Start firewalld, or leave out "backend": "firewalld"';
  if (code === undefined)
    return fault.unavailable('firewalld', `source ${source}`, `zone ${zone} was not changed: ${text}`, hint);
  return fault.kernel('firewalld', `source ${source}`, `zone ${zone} refused it: ${text}`);
}
