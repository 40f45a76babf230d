import { strict as assert } from 'node:assert';
import { takeListeners, takeServiceManager } from '../../cmd/cnm-shim/systemd.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

const OWN = String(process.pid);

describe('sockets from systemd', () => {
  for (const [what, env] of [
    ['no variables', {}],
    ['variables for another process', { LISTEN_PID: '1', LISTEN_FDS: '1' }],
    ['a negative number of sockets', { LISTEN_PID: OWN, LISTEN_FDS: '-1' }],
    ['no sockets', { LISTEN_PID: OWN, LISTEN_FDS: '0' }],
  ] as const)
    it(`are empty with ${what}, and the variables are deleted`, () => {
      const given: NodeJS.ProcessEnv = { ...env, LISTEN_FDNAMES: 'cni', OTHER: 'stays' };
      assert.deepEqual([...takeListeners(given)], []);
      assert.deepEqual(given, { OTHER: 'stays' });
    });

  it('are rejected if the descriptor is something else', () => {
    assert.throws(
      // Whatever the descriptors from 3 on are here: not all of them are sockets.
      () => takeListeners({ LISTEN_PID: OWN, LISTEN_FDS: '9999' }),
      (error) => {
        assert.ok(error instanceof NetError);
        assert.match(error.message, /LISTEN_FDS descriptor \d+: it is not (a socket|open)/);
        return error.kind === 'bad-environment';
      },
    );
  });
});

describe('service manager', () => {
  it('is not notified if it is absent', () => {
    const failures: unknown[] = [];
    const manager = takeServiceManager({ WATCHDOG_USEC: '1000' }, (error) => failures.push(error));
    manager.ready('here');
    manager.stopping('gone');
    assert.deepEqual(failures, []);
  });

  it('does not fail the daemon if it is unreachable', () => {
    const failures: unknown[] = [];
    const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/nowhere/at/all', WATCHDOG_USEC: '0', WATCHDOG_PID: OWN };
    const manager = takeServiceManager(env, (error) => failures.push(error));
    assert.deepEqual(env, {});
    manager.ready('here');
    assert.equal(failures.length, 1);
    assert.ok(failures[0] instanceof NetError);
  });
});
