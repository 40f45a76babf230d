import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { startDockerPlugin } from './docker-plugin.ts';
import { activeZones, type FirewalldSite, startFirewalld } from './firewalld.ts';
import { type Daemon, makeTestHost, type TestHost } from './test-host.ts';

/** A test host with firewalld, whose calls of busctl are counted, and our daemon where the tests want one. */
export interface FirewalldLab {
  readonly host: TestHost;
  readonly site: FirewalldSite;
  /** How often a program of the host has run busctl. */
  calls(): number;
  /** What our daemon has logged since the test began. */
  logged(): string;
  /**
   * This test changes or removes busctl, which is put back, and our daemon remembers that: the next test gets another
   * daemon. Or it breaks the host: the next test gets another host.
   */
  spoil(what: 'tools' | 'host'): void;
}

export interface LabOptions {
  readonly hasDaemon: boolean;
  /** The host is new; the tests need more in it. */
  readonly prepare: (host: TestHost) => void;
  /** The test has succeeded; what it has left is undone. */
  readonly undo: (host: TestHost) => void;
}

const CALLS = '/run/busctl.calls';
const LOG = '/run/isth/log/isthmus';

/**
 * The enclosing block's tests share a host and a firewalld, as long as they succeed. Each has to leave the zones,
 * devices, namespaces and tables as they were at first, once `undo` has run.
 */
export function useFirewalldLab({ hasDaemon, prepare, undo }: LabOptions): () => FirewalldLab {
  let made: { host: TestHost; site: FirewalldSite; fresh: string } | undefined;
  let daemon: Daemon | undefined;
  let spoilt: 'tools' | 'host' | undefined;
  let logBegin = 0;

  const readAll = (path: string): string => {
    const file = made?.host.outside(path) ?? '';
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  const discard = async (): Promise<void> => {
    const host = made?.host;
    made = undefined;
    daemon = undefined;
    await host?.[Symbol.asyncDispose]();
  };

  beforeEach('a host with firewalld', async () => {
    spoilt = undefined;
    if (made === undefined) {
      const host = await makeTestHost();
      try {
        const site = await startFirewalld(host);
        host.run('cp', '/usr/bin/busctl', '/usr/bin/busctl.real');
        countCalls(host);
        prepare(host);
        made = { host, site, fresh: stateOf(host) };
      } catch (error) {
        await host[Symbol.asyncDispose]();
        throw error;
      }
    }
    if (hasDaemon) daemon ??= await startDockerPlugin(made.host);
    logBegin = readAll(LOG).length;
  });

  afterEach('nothing is left', async function () {
    const failed = this.currentTest?.state === 'failed';
    if (failed && made !== undefined) console.log(made.host.logs());
    if (failed || spoilt === 'host' || made === undefined) return await discard();
    const { host, fresh } = made;
    try {
      if (spoilt === 'tools') countCalls(host);
      undo(host);
      if (spoilt === 'tools') {
        await daemon?.stop();
        daemon = undefined;
      }
      assert.equal(stateOf(host), fresh, `left by "${this.currentTest?.title}"`);
    } catch (error) {
      await discard();
      throw error;
    }
  });

  after('no host', discard);

  return () => {
    assert.ok(made, 'there is no host with firewalld');
    return {
      host: made.host,
      site: made.site,
      calls: () => readAll(CALLS).split('\n').length - 1,
      logged: () => readAll(LOG).slice(logBegin),
      spoil(what) {
        spoilt = what;
      },
    };
  };
}

const countCalls = (host: TestHost): void => replaceBusctl(host, `echo >>${CALLS}; exec /usr/bin/busctl.real "$@"`);

/** Replaces busctl by a script, until the test ends; the real one is `busctl.real`. */
export function replaceBusctl(host: TestHost, script: string): void {
  host.run(
    'sh',
    '-ec',
    `printf '#!/bin/sh\\n%s\\n' '${script}' >/usr/bin/busctl.new; chmod +x /usr/bin/busctl.new
     mv /usr/bin/busctl.new /usr/bin/busctl`,
  );
}

/** What the zones have, now and permanently; the names of devices, namespaces and tables. */
function stateOf(host: TestHost): string {
  const zones = '/etc/firewalld/zones';
  const files = readdirSync(host.outside(zones)).filter((name) => name.endsWith('.xml'));
  const permanent = files.map((name) => `${name}: ${readFileSync(host.outside(`${zones}/${name}`), 'utf8')}`);
  const names = host.run('sh', '-ec', "ip -br link | cut -d' ' -f1; ip netns list; nft list tables");
  return [activeZones(host), ...permanent, names].join('\n');
}
