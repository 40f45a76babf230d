import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SlowDelegate, slowDelegate } from '../support/daemon-delegate.ts';
import {
  assertAbandoned,
  type DaemonBin,
  type DaemonSite,
  daemonBin,
  isAlive,
  makeSite,
  type SiteCall,
  until,
} from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';

/** Pod 0 gets its address from a foreign IPAM plugin that takes its time; pod 1 is on a network without one. */
describe('the daemon and a delegate that hangs', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let delegate: SlowDelegate;
  let slow: SiteCall;
  let clean: string;

  before(() => {
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());

  beforeEach(async () => {
    site = makeSite(bin);
    delegate = slowDelegate(bin.path, 'sluggard', '10.99.0.2/24');
    const { ipam: _, ...layer2 } = site.config;
    slow = { config: { ...layer2, name: 'slow', bridge: 'isth1', ipam: { type: 'sluggard' } } };
    await site.start();
    site.ok('ADD', slow);
    site.ok('DEL', slow);
    clean = site.host.snapshot();
    delegate.hold();
  });
  afterEach(() => {
    delegate?.release();
    site?.[Symbol.dispose]();
  });

  const added = () => delegate.begun().filter((command) => command === 'ADD').length;
  const asked = (times: number) => until(() => added() === times, `${times} calls of the delegate`);
  const short: SiteCall = { env: { ISTHMUS_TIMEOUT: '1' } };
  const nothingLeft = async () => {
    await until(() => site.daemon.served('ADD') === 2, 'the end of the ADD');
    await until(() => delegate.ended().at(-1) === 'DEL' && delegate.ended().length > 2, 'DEL of the delegate');
    await until(() => !site.host.snapshot().includes('pod0'), 'the end of the record');
    assertSame(site.host.snapshot(), clean);
  };

  it('serves other calls meanwhile, and finishes the slow one', async () => {
    const running = site.begin('ADD', slow);
    await asked(2);
    for (let i = 0; i < 3; i++) {
      site.ok('ADD', { pod: 1 });
      site.ok('DEL', { pod: 1 });
    }
    assert.ok(isAlive(running.child));
    delegate.release();
    const { code, json, stdout } = await running.done;
    assert.equal(code, 0, stdout);
    assert.equal(json?.ips?.[0]?.address, '10.99.0.2/24');
    assert.equal(site.daemon.served('ADD'), 5);
    site.ok('DEL', slow);
    assertSame(site.host.snapshot(), clean);
  });

  it('ISTHMUS_TIMEOUT ends the call with code 11; the daemon reverts the ADD after the late answer', async () => {
    delegate.hold('stubborn');
    const run = site.run('ADD', { ...slow, ...short });
    assertAbandoned(run);
    assert.match(run.json?.msg ?? '', /within 1 s/);
    delegate.release();
    await nothingLeft();
    site.ok('ADD', slow);
    site.ok('DEL', slow);
    assertSame(site.host.snapshot(), clean);
  });

  it('reverts the ADD of a launcher that was killed', async () => {
    const running = site.begin('ADD', slow);
    await asked(2);
    running.child.kill('SIGKILL');
    assert.equal((await running.done).signal, 'SIGKILL');
    await nothingLeft();
    assert.deepEqual(delegate.ended(), ['ADD', 'DEL', 'DEL'], 'its ADD was ended by a signal');
  });

  it('DEL waits for the running ADD of its attachment', async () => {
    const adding = site.begin('ADD', slow);
    await asked(2);
    const deleting = site.begin('DEL', slow);
    await sleep(300);
    assert.ok(isAlive(deleting.child) && isAlive(adding.child));
    delegate.release();
    assert.equal((await adding.done).code, 0);
    assert.equal((await deleting.done).code, 0);
    assert.deepEqual(delegate.ended(), ['ADD', 'DEL', 'ADD', 'DEL']);
    assertSame(site.host.snapshot(), clean);
  });

  it('the delegate never answers and the launcher is gone: DEL and ADD work', async () => {
    for (const kind of [undefined, 'stubborn'] as const) {
      delegate.hold(kind);
      assertAbandoned(site.run('ADD', { ...slow, ...short }));
      site.ok('DEL', slow);
      assertSame(site.host.snapshot(), clean);
      delegate.release();
      site.ok('ADD', slow);
      site.ok('DEL', slow);
      assertSame(site.host.snapshot(), clean);
    }
  });

  it('the daemon is killed meanwhile: code 11, and DEL works with and without another daemon', async () => {
    for (const another of [false, true]) {
      delegate.hold();
      const calls = added();
      const running = site.begin('ADD', slow);
      await asked(calls + 1);
      await site.daemon.end('SIGKILL');
      assertAbandoned(await running.done);
      if (another) await site.start();
      delegate.release();
      site.ok('DEL', slow);
      assertSame(site.host.snapshot(), clean);
      if (!another) await site.start();
      site.ok('ADD', slow);
      site.ok('DEL', slow);
      assertSame(site.host.snapshot(), clean);
    }
  });

  it('SIGTERM: the daemon finishes the waiting ADD and takes no new call; the plugin serves new ones', async () => {
    const running = site.begin('ADD', slow);
    await asked(2);
    const { daemon } = site;
    const ended = daemon.end('SIGTERM');
    await until(() => site.run('ADD', { pod: 1 }).code === 0);
    assert.equal(daemon.served('ADD'), 1);
    assert.ok(isAlive(daemon.child));
    delegate.release();
    assert.equal((await running.done).code, 0);
    assert.equal(await ended, 0);
    site.ok('DEL', { pod: 1 });
    site.ok('DEL', slow);
    assertSame(site.host.snapshot(), clean);
  });
});
