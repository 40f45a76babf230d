import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { netnsMissing } from '../support/netns.ts';
import { type NotifySocket, openNotifySocket } from '../support/notify-socket.ts';
import { makeServeSite, type ServeSite } from '../support/serve.ts';
import { skipIf } from '../support/skip.ts';

describe('notifications to systemd', () => {
  let site: ServeSite;
  let socket: NotifySocket;
  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    site = makeServeSite();
    socket = openNotifySocket(join(site.root, 'notify'));
  });
  afterEach(() => {
    socket?.[Symbol.dispose]();
    site?.[Symbol.dispose]();
  });

  const kinds = (): string[] => socket.messages.map((text) => text.split('=')[0] ?? '');

  for (const [what, abstract] of [
    ['at a path', undefined],
    ['of an abstract name', `@isth-${randomBytes(6).toString('hex')}`],
  ] as const)
    it(`reports over a socket ${what} readiness once it accepts calls, reload, and stop`, async () => {
      if (abstract !== undefined) {
        socket[Symbol.dispose]();
        socket = openNotifySocket(abstract, site.ns.path);
      }
      using daemon = site.start({ env: { NOTIFY_SOCKET: socket.name } });
      await socket.message(/^READY=1$/m);
      assert.ok(existsSync(site.socket));
      daemon.process.kill('SIGHUP');
      await socket.message(/^READY=1$/m, 2);
      daemon.process.kill('SIGTERM');
      assert.equal(await daemon.end, 0);
      assert.deepEqual(kinds(), ['READY', 'RELOADING', 'READY', 'STOPPING']);
      const [ready, reloading] = socket.messages;
      assert.equal(
        ready,
        `READY=1\nSTATUS=Serving CNI calls on ${site.socket}, and Docker on ${site.runDir}/docker.sock`,
      );
      const [, usec] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading ?? '') ?? [];
      const now = process.hrtime.bigint() / 1000n;
      assert.ok(BigInt(usec ?? 0) <= now && BigInt(usec ?? 0) > now - 60_000_000n, `${usec} is not near ${now}`);
    });

  it('reports that it is alive, as long as it is', async () => {
    using daemon = site.start({ env: { NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: '100000' } });
    await socket.message(/^WATCHDOG=1$/, 5);
    daemon.process.kill('SIGTERM');
    assert.equal(await daemon.end, 0);
  });

  it('ignores a watchdog that is for another process', async () => {
    const env = { NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
    using daemon = site.start({ env });
    await socket.message(/^READY=1$/m);
    daemon.process.kill('SIGTERM');
    assert.equal(await daemon.end, 0);
    assert.ok(!kinds().includes('WATCHDOG'), socket.messages.join('\n'));
  });

  it('does not report readiness when it cannot start', async () => {
    using first = site.start();
    await first.line(/event=daemon\.start/);
    using second = site.start({ env: { NOTIFY_SOCKET: socket.name } });
    assert.equal(await second.end, 1);
    assert.deepEqual(socket.messages, []);
  });

  it('ignores a missing listener', async () => {
    using daemon = site.start({ env: { NOTIFY_SOCKET: join(site.root, 'nobody') } });
    await daemon.line(/level=warn event=systemd\.notify error=/);
    await daemon.line(/event=daemon\.start/);
    daemon.process.kill('SIGTERM');
    assert.equal(await daemon.end, 0);
  });
});
