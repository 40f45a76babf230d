import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CniAnswer } from '../support/cni.ts';
import { until } from '../support/daemon-site.ts';
import { type DhcpServer, dnsmasqMissing, startDhcpServer } from '../support/dhcp-server.ts';
import { type DriverDefect, type DriverLab, driverDefect, isThere } from './driver-defect.ts';

/** A LAN with a DHCP server, and what keeps the leases: the reference's `dhcp daemon`, or this program's daemon. */
interface DhcpLab extends DriverLab {
  readonly server: DhcpServer;
  /** Of the reference's daemon. */
  readonly socket: string;
  readonly keys: object;
  add(pod?: number): CniAnswer;
  /** Ends what keeps the leases, as a crash does. */
  kill(): Promise<void>;
  /** Another one runs, and takes up what the former one left. Throws if it cannot. */
  restart(): Promise<void>;
}

type Work = (lab: DhcpLab) => Promise<void>;

const RANGE = ['10.5.0.100', '10.5.0.150'] as const;
const DNS = ['--dhcp-option=6,10.5.0.53', '--dhcp-option=15,lab.example'];

/** A row that needs a DHCP server on the LAN. */
function dhcpDefect(reference: Work, ours: Work): Pick<DriverDefect, 'lacks' | 'via' | 'reference' | 'ours'> {
  return {
    lacks: dnsmasqMissing,
    via: 'daemon',
    reference: (lab) => withTheirs(lab, reference),
    ours: (lab) => withServer(lab, ourKeeper(lab), ours),
  };
}

const nothing: Work = async () => {};

function withTheirs(lab: DriverLab, work: Work): Promise<void> {
  return withServer(lab, theirKeeper(lab), work);
}

driverDefect('D26', 'DEL without the daemon that has the lease', {
  ...dhcpDefect(
    async (lab) => {
      lab.add();
      await lab.kill();
      assert.match(lab.fails('macvlan', 'DEL', { keys: lab.keys }), /DHCP daemon/);
      assert.equal(isThere(lab), true);
    },
    async (lab) => {
      lab.add();
      await lab.kill();
      lab.ok('macvlan', 'DEL', { keys: lab.keys });
      assert.equal(isThere(lab), false);
    },
  ),
});

driverDefect('D43', 'the lease file of dnsmasq after DEL', {
  ...dhcpDefect(nothing, released),
  reference: {
    '1.1.1': (lab) => withTheirs(lab, released),
    '1.9.1': (lab) =>
      withTheirs(lab, async (there) => {
        there.add();
        there.ok('macvlan', 'DEL', { keys: there.keys });
        await pause(1000);
        assert.equal(there.server.leases().length, 1);
      }),
  },
});

driverDefect('D44', 'name server and domain', {
  ...dhcpDefect(
    async (lab) => assert.deepEqual(lab.add().dns ?? {}, {}),
    async (lab) => assert.deepEqual(lab.add().dns, { nameservers: ['10.5.0.53'], domain: 'lab.example' }),
  ),
});

driverDefect('D45', 'DEL after a restart of the daemon', {
  ...dhcpDefect(
    async (lab) => {
      lab.add();
      await lab.kill();
      rmSync(lab.socket);
      await lab.restart();
      lab.ok('macvlan', 'DEL', { keys: lab.keys });
      await pause(1000);
      assert.doesNotMatch(lab.server.log(), /DHCPRELEASE/);
    },
    async (lab) => {
      lab.add();
      await lab.kill();
      await lab.restart();
      lab.ok('macvlan', 'DEL', { keys: lab.keys });
      await until(() => lab.server.log().includes('DHCPRELEASE'), 'the release');
    },
  ),
});

driverDefect('D46', 'a start after a crash', {
  ...dhcpDefect(
    async (lab) => {
      await lab.kill();
      await assert.rejects(lab.restart(), /address already in use/);
    },
    async (lab) => {
      lab.add();
      await lab.kill();
      await lab.restart();
      lab.add(1);
    },
  ),
});

driverDefect('D47', 'CHECK twice', {
  ...dhcpDefect(nothing, async (lab) => {
    const prevResult = lab.add();
    lab.host.pod(0).ip('link', 'del', 'eth0');
    for (let i = 0; i < 2; i++) lab.fails('macvlan', 'CHECK', { keys: { ...lab.keys, prevResult }, timeout: 5000 });
  }),
  reference: {
    '1.1.1': (lab) => withTheirs(lab, async (there) => assert.deepEqual(checksWithoutLink(there), ['', ''])),
    '1.9.1': (lab) => withTheirs(lab, async (there) => assert.deepEqual(checksWithoutLink(there), ['', 'SIGKILL'])),
  },
});

const IPVLAN = { master: 'up0', mode: 'l2' };

driverDefect('D48', 'two containers on one parent', {
  ...dhcpDefect(
    async (lab) => assert.equal(new Set(ipvlanAddresses(lab)).size, 1),
    async (lab) => assert.equal(new Set(ipvlanAddresses(lab)).size, 2),
  ),
  needs: 'ipvlan',
});

driverDefect('D49', 'STATUS', {
  ...dhcpDefect(nothing, async (lab) => {
    assert.equal(statusOf(lab).code, 0);
    await lab.kill();
    const { code, json } = statusOf(lab);
    assert.deepEqual([code, json?.code], [1, 50]);
  }),
  reference: {
    '1.1.1': (lab) => assert.match(lab.fails('macvlan', 'STATUS', STATUS), /unknown CNI_COMMAND/),
    '1.9.1': (lab) =>
      withTheirs(lab, async (there) => {
        await there.kill();
        assert.equal(statusOf(there).code, 0);
      }),
  },
});

const STATUS = { keys: { cniVersion: '1.1.0', master: 'up0', ipam: { type: 'dhcp' } } };

function statusOf(lab: DhcpLab) {
  return lab.run('macvlan', 'STATUS', { keys: { ...lab.keys, cniVersion: '1.1.0' } });
}

/** What ended two calls of CHECK, one after the other; empty for those that have answered. */
function checksWithoutLink(lab: DhcpLab): string[] {
  const prevResult = lab.add();
  lab.host.pod(0).ip('link', 'del', 'eth0');
  const keys = { ...lab.keys, prevResult };
  return [1, 2].map(() => lab.run('macvlan', 'CHECK', { keys, timeout: 5000 }).signal ?? '');
}

async function released(lab: DhcpLab): Promise<void> {
  lab.add();
  assert.equal(lab.server.leases().length, 1);
  lab.ok('macvlan', 'DEL', { keys: lab.keys });
  await until(() => lab.server.leases().length === 0, 'the server to have the address back');
}

function ipvlanAddresses(lab: DhcpLab): (string | undefined)[] {
  return [0, 1].map((pod) => lab.ok('ipvlan', 'ADD', { pod, keys: { ...lab.keys, ...IPVLAN } }).ips?.[0]?.address);
}

/** What keeps leases. */
type Keeper = Pick<DhcpLab, 'kill' | 'restart'> & { readonly socket: string; end(): Promise<void> };

async function withServer(lab: DriverLab, keeper: Keeper, work: Work): Promise<void> {
  await using server = await startDhcpServer(lab.lan.ns, { dev: 'lan0', range: RANGE, args: DNS });
  const keys = { master: 'up0', ipam: { type: 'dhcp', daemonSocketPath: keeper.socket } };
  try {
    await keeper.restart();
    await work({
      ...{ ...lab, server, keys, socket: keeper.socket },
      add: (pod = 0) => lab.ok('macvlan', 'ADD', { pod, keys }),
      kill: keeper.kill,
      restart: keeper.restart,
    });
  } finally {
    await keeper.end();
  }
}

function theirKeeper({ host, dir }: DriverLab): Keeper {
  const socket = join(host.stateDir, '..', 'dhcp.sock');
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child?.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  };
  return {
    ...{ socket, kill, end: kill },
    restart: async () => {
      let said = '';
      const words = ['netns', 'exec', host.ns.name, join(dir, 'dhcp'), 'daemon', '-socketpath', socket];
      const started = spawn('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
      started.stderr.on('data', (piece: Buffer) => {
        said += piece.toString();
      });
      child = started;
      const isUp = (): boolean => existsSync(socket) && started.exitCode === null;
      await until(() => isUp() || started.exitCode !== null, 'the daemon to start');
      // One that finds the socket of another ends soon.
      await pause(300);
      if (started.exitCode !== null) throw new Error(said);
    },
  };
}

function ourKeeper({ host }: DriverLab): Keeper {
  const daemon = host.daemon ?? assert.fail('this host has a daemon');
  return {
    socket: '',
    kill: async () => daemon.kill(),
    restart: async () => daemon.restart(),
    end: async () => {},
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
