import { strict as assert } from 'node:assert';
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { byTable } from '../support/filter-tools.ts';
import { ping } from '../support/ping.ts';
import { assertSame, snapshot } from '../support/snapshot.ts';

/** The daemon's memory is valid only while nobody else changes the kernel, packet filter or files. */
describe('the daemon recovers from changes made by others', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;

  before(() => {
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    site = makeSite(bin, { pods: 3, conf: PUBLISHING, ipam: SMALL });
    await site.start();
    site.ok('ADD');
    site.ok('DEL');
    clean = kernel();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const ip = (...args: string[]) => site.host.ns.ip(...args);
  const rules = () => byTable(site.host.ns.run('nft', 'list', 'ruleset'));
  const addressOf = (pod: number) => site.ok('ADD', call(pod)).ips?.[0]?.address ?? assert.fail('no address');
  const call = (pod: number) => ({ pod, config: pod === 0 ? site.config : plain() });
  /** One host port is for one pod. */
  const plain = () => ({ ...site.config, runtimeConfig: {} });
  /** Without the state, of which tests leave tables that nobody can read. */
  const kernel = () => snapshot({ netns: [site.host.ns, ...[0, 1, 2].map(site.host.pod)] });
  const kernelIsClean = (what = '') => assertSame(kernel(), clean, what);
  const byTheDaemon = () => {
    const calls = site.daemon.log().match(/ event=(ADD|DEL) /g)?.length;
    site.ok('DEL', call(2));
    assert.equal(site.daemon.log().match(/ event=(ADD|DEL) /g)?.length, (calls ?? 0) + 1);
  };
  const allGo = () => {
    for (const pod of [0, 1, 2]) site.ok('DEL', call(pod));
    kernelIsClean();
  };

  describe('in the kernel', () => {
    it('bridge deleted: the next ADD creates it', () => {
      addressOf(0);
      ip('link', 'delete', 'isth0');
      const address = addressOf(1);
      assert.match(ip('-o', 'link', 'show', 'type', 'veth'), / master isth0 /);
      ping(site.host.ns, address);
      byTheDaemon();
      allGo();
    });

    it('bridge deleted, its index reused by another link', () => {
      addressOf(0);
      const index = /^(\d+):/.exec(ip('-o', 'link', 'show', 'isth0'))?.[1] ?? '';
      ip('link', 'delete', 'isth0');
      ip('link', 'add', 'other', 'index', index, 'type', 'bridge');
      ping(site.host.ns, addressOf(1));
      allGoBut('other');
    });

    it('bridge renamed', () => {
      addressOf(0);
      ip('link', 'set', 'isth0', 'down');
      ip('link', 'set', 'isth0', 'name', 'moved');
      ping(site.host.ns, addressOf(1));
      allGoBut('moved');
    });

    it('host end of a pod deleted, renamed or detached from its bridge: DEL leaves nothing', () => {
      const port = () =>
        /^\d+: (veth\w+)/.exec(ip('-o', 'link', 'show', 'type', 'veth'))?.[1] ?? assert.fail('no veth');
      for (const args of [['delete'], ['set', 'nomaster'], ['set', 'down']] as const) {
        addressOf(0);
        ip('link', args[0], port(), ...args.slice(1));
        site.ok('DEL', call(0));
        kernelIsClean(args.join(' '));
      }
    });

    it('namespace of the pod deleted', () => {
      const pod = site.host.addPod();
      const lost = { pod: 3, config: plain() };
      site.ok('ADD', lost);
      pod[Symbol.dispose]();
      site.ok('DEL', lost);
      assert.equal(ip('-o', 'link', 'show', 'type', 'veth'), '');
    });

    it('packet filter flushed: the next ADD restores the rules of its network, SIGHUP restores all', async () => {
      addressOf(0);
      const whole = rules();
      assert.match(whole, /8080/);
      site.host.ns.run('nft', 'flush', 'ruleset');
      addressOf(1);
      assert.match(rules(), /masquerade/);
      site.ok('DEL', call(1));
      site.host.ns.run('nft', 'flush', 'ruleset');
      site.daemon.child.kill('SIGHUP');
      for (let i = 0; i < 100 && rules() !== whole; i++) site.ok('STATUS', status());
      assert.equal(rules(), whole);
      site.host.ns.run('nft', 'flush', 'ruleset');
      allGo();
    });

    it('packet filter flushed while the daemon is down: it restores the rules at start', async () => {
      addressOf(0);
      const whole = rules();
      await site.daemon.end('SIGKILL');
      site.host.ns.run('nft', 'flush', 'ruleset');
      await site.start();
      assert.equal(rules(), whole);
      allGo();
    });

    function allGoBut(link: string): void {
      for (const pod of [0, 1]) site.ok('DEL', call(pod));
      assert.match(ip('-o', 'link', 'show', link), new RegExp(link), 'what is not ours stays');
      ip('link', 'delete', link);
      kernelIsClean();
    }
  });

  describe('in the state directory', () => {
    const database = () => join(site.host.stateDir, 'state.db');
    const damages: readonly [string, () => void][] = [
      ['the directory is removed', () => rmSync(site.host.stateDir, { recursive: true })],
      ['the directory is moved away', () => renameSync(site.host.stateDir, `${site.host.stateDir}.old`)],
      ['state.db is deleted', () => files().forEach((file) => void rmSync(file, { force: true }))],
      ['state.db is replaced by a text', () => replace('this is not a database\n'.repeat(1000))],
      ['state.db is replaced by nothing', () => replace('')],
      ['state.db is overwritten in place', () => writeFileSync(database(), Buffer.alloc(60_000, 0xa5))],
      ['state.db and its log are overwritten in place', () => files().forEach((file) => void scribble(file))],
      ['state.db is truncated in the middle', () => truncateSync(database(), 5000)],
      ['its log grows by garbage', () => appendFileSync(`${database()}-wal`, Buffer.alloc(9000, 0x5a))],
    ];
    const files = () => ['', '-wal', '-shm'].map((suffix) => `${database()}${suffix}`);
    const scribble = (file: string) => writeFileSync(file, Buffer.alloc(40_000, 0xa5));
    const replace = (text: string) => {
      writeFileSync(`${database()}.new`, text);
      renameSync(`${database()}.new`, database());
    };

    for (const [title, damage] of damages)
      it(`${title}: at most one call fails, no address in use is allocated again, and every DEL works`, () => {
        const inUse = addressOf(0);
        damage();
        const first = site.run('ADD', call(1));
        if (first.code !== 0) {
          assert.ok([5, 11, 106].includes(first.json?.code ?? 0), first.stdout);
          site.ok('DEL', call(1));
          site.ok('ADD', call(1));
        }
        const second = addressOf(2);
        const known = [inUse, first.json?.ips?.[0]?.address];
        assert.ok(!known.includes(second), `${second} is in use`);
        ping(site.host.pod(2), inUse);
        byTheDaemon();
        allGo();
        const again = [0, 1, 2].map(addressOf);
        assert.equal(new Set(again).size, 3);
        allGo();
      });
  });

  const status = () => ({ config: { ...site.config, cniVersion: '1.1.0' } });
});

const PUBLISHING = {
  ipMasq: true,
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};

/** Three addresses: an address in use that the daemon no longer knows is allocated again at once. */
const SMALL = { ranges: [[{ subnet: '10.88.0.0/24', rangeEnd: '10.88.0.4' }]] };
