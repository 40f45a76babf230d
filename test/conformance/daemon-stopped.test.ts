import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { standStill } from '../support/children.ts';
import { type SlowDelegate, slowDelegate } from '../support/daemon-delegate.ts';
import {
  assertAbandoned,
  type DaemonBin,
  type DaemonSite,
  daemonBin,
  makeSite,
  type SiteCall,
  until,
} from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';

/** SIGSTOP: the daemon's socket takes connections, but nobody is there. What it wakes up to has been done without it. */
describe('a daemon that is stopped and continued', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let delegate: SlowDelegate;
  let slow: SiteCall;
  let clean: string;

  before(async () => {
    bin = daemonBin();
    site = makeSite(bin, { pods: 4 });
    delegate = slowDelegate(bin.path, 'sluggard', '10.99.0.2/24');
    const { ipam: _, ...layer2 } = site.config;
    slow = { pod: 3, config: { ...layer2, name: 'slow', bridge: 'isth1', ipam: { type: 'sluggard' } } };
    await site.start();
    for (const call of [{}, slow]) site.ok('ADD', call);
    for (const call of [{}, slow]) site.ok('DEL', call);
    clean = site.host.snapshot();
  });
  afterEach(() => void site.daemon.child.kill('SIGCONT'));
  after(() => {
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const stop = () => {
    standStill(site.daemon.pid);
  };
  /** The daemon has processed everything that arrived while it was stopped: it answers later calls. */
  const wake = () => {
    site.daemon.child.kill('SIGCONT');
    site.ok('STATUS', { config: { ...site.config, cniVersion: '1.1.0' } });
  };

  it('the plugin serves meanwhile; once continued, the daemon does not repeat those calls', async () => {
    stop();
    const served = { add: site.daemon.served('ADD'), del: site.daemon.served('DEL') };
    const runs = await Promise.all([0, 1, 2].map((pod) => site.begin('ADD', { pod }).done));
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 0, 0],
      runs.map(({ stdout }) => stdout).join(),
    );
    site.ok('DEL', { pod: 2 });
    const asItWas = site.host.snapshot();
    wake();
    assertSame(site.host.snapshot(), asItWas, 'woken up');
    assert.deepEqual({ add: site.daemon.served('ADD'), del: site.daemon.served('DEL') }, served);
    site.ok('ADD', { pod: 2 });
    for (const pod of [0, 1, 2]) site.ok('DEL', { pod });
    assert.equal(site.daemon.served('DEL'), served.del + 3);
    assertSame(site.host.snapshot(), clean);
  });

  it('once continued, it logs the calls that it missed as abandoned, not as declined', async () => {
    await site.daemon.end();
    const verbose = ['sh', '-c', 'exec "$0" "$@" --log-level debug', join(site.bin, 'cnm-shim')];
    await site.start({ program: verbose });
    stop();
    for (const command of ['ADD', 'DEL'] as const) assert.equal((await site.begin(command).done).code, 0);
    wake();
    const events = site.daemon.log().match(/(?<=event=)(abandoned|declined)/g);
    assert.deepEqual(events, ['abandoned', 'abandoned'], site.daemon.log());
    assertSame(site.host.snapshot(), clean);
  });

  it('a DEL that it missed does not delete a later ADD', async () => {
    site.ok('ADD');
    stop();
    site.ok('DEL');
    const { json } = await site.begin('ADD').done;
    const asItWas = site.host.snapshot();
    wake();
    assertSame(site.host.snapshot(), asItWas);
    site.ok('CHECK', { config: { ...site.config, prevResult: json } });
    site.ok('DEL');
    assertSame(site.host.snapshot(), clean);
  });

  it('stopped during a claimed ADD: code 11 in time; once continued, it reverts the ADD', async () => {
    const served = site.daemon.served('ADD');
    delegate.hold();
    const calls = delegate.begun().length;
    const running = site.begin('ADD', { ...slow, env: { ISTHMUS_TIMEOUT: '2' } });
    await until(() => delegate.begun().length > calls, 'the delegate');
    stop();
    assertAbandoned(await running.done);
    delegate.release();
    wake();
    await until(() => site.daemon.served('ADD') === served + 1, 'the end of the ADD');
    await until(() => !site.host.snapshot().includes('pod3'), 'the end of its record');
    assertSame(site.host.snapshot(), clean);
  });

  it('stopped during an ADD and continued in time: the launcher gets its answer', async () => {
    delegate.hold();
    const calls = delegate.begun().length;
    const running = site.begin('ADD', slow);
    await until(() => delegate.begun().length > calls, 'the delegate');
    stop();
    delegate.release();
    site.ok('ADD');
    site.daemon.child.kill('SIGCONT');
    const { code, stdout } = await running.done;
    assert.equal(code, 0, stdout);
    for (const call of [{}, slow]) site.ok('DEL', call);
    assertSame(site.host.snapshot(), clean);
  });

  it('stopped and continued repeatedly: each call is executed once', async () => {
    let going = true;
    const shaking = (async () => {
      for (let i = 0; going; i++) {
        site.daemon.child.kill(i % 2 === 0 ? 'SIGSTOP' : 'SIGCONT');
        await new Promise((resolve) => setTimeout(resolve, i % 2 === 0 ? 700 + 97 * (i % 8) : 60));
      }
    })();
    const lives = [0, 1, 2].map(async (pod) => {
      for (let i = 0; i < 2; i++)
        for (const command of ['ADD', 'DEL'] as const) {
          const { code, stdout } = await site.begin(command, { pod }).done;
          assert.equal(code, 0, `${command} ${pod}: ${stdout}`);
        }
    });
    await Promise.all(lives).finally(() => {
      going = false;
    });
    await shaking;
    wake();
    assertSame(site.host.snapshot(), clean);
  });
});
