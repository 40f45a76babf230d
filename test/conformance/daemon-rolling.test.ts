import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginRun } from '../support/cni.ts';
import {
  assertAbandoned,
  type DaemonBin,
  type DaemonSite,
  daemonBin,
  makeSite,
  until,
} from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';

const CLIENTS = 8;
const RESTARTS = 4;

/** Stops and starts the daemon repeatedly, each time after the previous one exited. */
interface Roller extends Disposable {
  restart(signal: NodeJS.Signals): Promise<void>;
  log(): string;
}

describe(`replacing the daemon while ${CLIENTS} clients add and delete`, function () {
  this.timeout(180_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;

  before(() => {
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    site = makeSite(bin, { pods: CLIENTS, conf: { ipMasq: true } });
    site.ok('ADD');
    site.ok('DEL');
    clean = site.host.snapshot();
  });
  afterEach(() => site?.[Symbol.dispose]());

  for (const [title, start] of [
    ['ended and started again', plainRoller],
    ['under a socket of systemd-socket-activate', activatedRoller],
  ] as const) {
    it(`${title}, by SIGTERM: no call fails`, async () => {
      using roller = await start(site);
      const tally = await stream(() => roller.restart('SIGTERM'), unbroken);
      assert.equal(tally.abandoned, 0);
      conclude(tally, roller.log());
    });

    it(`${title}, by SIGKILL: only calls in progress fail, with code 11; DEL and a retry work`, async () => {
      using roller = await start(site);
      const tally = await stream(() => roller.restart('SIGKILL'), retried);
      conclude(tally, roller.log());
    });
  }

  interface Tally {
    calls: number;
    abandoned: number;
    going: boolean;
    /** By pod. */
    readonly addresses: Map<number, string>;
  }

  /** A call of one client; the answer is that of the try that was the last. */
  type Attempt = (command: 'ADD' | 'DEL', pod: number, tally: Tally) => Promise<PluginRun>;

  /** Each client adds its pod and deletes it, until the daemon has been replaced some times. */
  async function stream(restart: () => Promise<void>, attempt: Attempt): Promise<Tally> {
    const tally: Tally = { calls: 0, abandoned: 0, going: true, addresses: new Map() };
    const clients = site.host.pods.map(async (_, pod) => {
      while (tally.going) {
        const { json, code, stdout, stderr } = await attempt('ADD', pod, tally);
        assert.equal(code, 0, `ADD ${pod}: ${stdout}${stderr}`);
        const address = json?.ips?.[0]?.address ?? assert.fail('no address');
        assert.ok(![...tally.addresses.values()].includes(address), `${address} is given out twice`);
        tally.addresses.set(pod, address);
        await sleep(5);
        tally.addresses.delete(pod);
        const gone = await attempt('DEL', pod, tally);
        assert.equal(gone.code, 0, `DEL ${pod}: ${gone.stdout}${gone.stderr}`);
      }
    });
    const rolling = async (): Promise<void> => {
      for (let i = 0; i < RESTARTS && tally.going; i++) {
        await sleep(500);
        await restart();
      }
      await sleep(300);
    };
    const stop = () => {
      tally.going = false;
    };
    const ended = clients.map((client) => client.finally(stop));
    await Promise.all([...ended, rolling().finally(stop)]);
    return tally;
  }

  async function unbroken(command: 'ADD' | 'DEL', pod: number, tally: Tally): Promise<PluginRun> {
    tally.calls++;
    return await site.begin(command, { pod }).done;
  }

  async function retried(command: 'ADD' | 'DEL', pod: number, tally: Tally): Promise<PluginRun> {
    for (;;) {
      const run = await unbroken(command, pod, tally);
      if (run.code === 0) return run;
      assertAbandoned(run, `${command} ${pod}`);
      tally.abandoned++;
      assert.ok(tally.abandoned <= RESTARTS * CLIENTS * 2, 'no more than were under way');
      if (command === 'ADD') await retried('DEL', pod, tally);
    }
  }

  function conclude({ calls, abandoned }: Tally, log: string): void {
    const served = log.match(/ event=(ADD|DEL) /g)?.length ?? 0;
    console.log(`      ${RESTARTS} restarts, ${calls} calls, ${abandoned} abandoned; ${served} by the daemon`);
    assert.ok(served > 0 && calls > CLIENTS * 4);
    assert.doesNotMatch(log, /event=(daemon\.failed|repair\.failed|call\.failed)/);
    assertSame(site.host.snapshot(), clean);
  }
});

async function plainRoller(site: DaemonSite): Promise<Roller> {
  const logs: string[] = [];
  await site.start();
  return {
    restart: async (signal) => {
      const { daemon } = site;
      await daemon.end(signal);
      logs.push(daemon.log());
      await site.start();
    },
    log: () => [...logs, site.daemon.log()].join(''),
    [Symbol.dispose]: () => {},
  };
}

/** Starts a daemon with the socket, and another one when it has ended. */
const SUPERVISOR = `while [ ! -e "$ISTHMUS_RUN_DIR/stop" ]; do
  sh -c 'echo $$ >"$ISTHMUS_RUN_DIR/pid"; LISTEN_PID=$$ exec "$0" serve' "$0"
done`;

async function activatedRoller(site: DaemonSite): Promise<Roller> {
  mkdirSync(site.runDir, { mode: 0o700 });
  const file = join(site.runDir, 'log');
  const err = openSync(file, 'a');
  const activate = ['systemd-socket-activate', '--fdname=cni', '-l', join(site.runDir, 'cni.sock')];
  const where = { ISTHMUS_RUN_DIR: site.runDir, ISTHMUS_STATE_DIR: site.host.stateDir, PATH: process.env.PATH };
  const settings = Object.entries(where).map(([name, value]) => `--setenv=${name}=${value}`);
  const words = [`--net=${site.host.ns.path}`, '--', ...activate, ...settings];
  const child = spawn('nsenter', [...words, 'sh', '-c', SUPERVISOR, join(site.bin, 'cnm-shim')], {
    stdio: ['ignore', 'ignore', err],
    detached: true,
  });
  closeSync(err);
  const log = () => readFileSync(file, 'utf8');
  const starts = () => log().match(/event=daemon\.start/g)?.length ?? 0;
  await until(() => log().includes('Listening on'), 'listening');
  site.ok('ADD');
  site.ok('DEL');
  await until(() => starts() === 1, 'the first daemon');
  return {
    restart: async (signal) => {
      const before = starts();
      process.kill(Number(readFileSync(join(site.runDir, 'pid'), 'utf8')), signal);
      await until(() => starts() === before + 1, 'another daemon');
    },
    log,
    [Symbol.dispose]: () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      rmSync(site.runDir, { recursive: true, force: true });
    },
  };
}
