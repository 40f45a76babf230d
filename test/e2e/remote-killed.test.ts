import { strict as assert } from 'node:assert';
import { hostState, useTestHost } from '../support/e2e.ts';
import { REMOTE, remoteCalls } from '../support/remote-calls.ts';
import { buildSdkPlugin, type SdkPlugin, sdkMissing, startSdkPlugin } from '../support/sdk-plugin.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import type { TestHost } from '../support/test-host.ts';

/** Kills the call of its arguments once the plugin has logged a line. */
const KILL = `"$2" </run/isth/config & call=$!
for try in $(seq 400); do grep -qx "$1" /run/sdk-plugin.log && break; sleep 0.05; done
kill -KILL $call; wait $call`;

/** Before the plugin does it, and after. Nobody can know which pool or address it chose if its answer is lost. */
const OF_ADD = [
  ...['RequestPool hang', 'CreateNetwork hang', 'CreateNetwork late', 'RequestAddress hang'],
  ...['CreateEndpoint hang', 'CreateEndpoint late', 'Join hang', 'Join late', 'ProgramExternalConnectivity hang'],
];
const OF_DEL = [
  ...['RevokeExternalConnectivity hang', 'Leave hang', 'Leave late', 'DeleteEndpoint hang', 'DeleteEndpoint late'],
  ...['ReleaseAddress hang', 'ReleaseAddress late', 'ReleasePool hang', 'ReleasePool late'],
  ...['DeleteNetwork hang', 'DeleteNetwork late'],
];

describe('a call that is killed while a Docker plugin works', function () {
  this.timeout(60_000);
  const running = useTestHost();
  let host: TestHost;
  let plugin: SdkPlugin;
  let untouched: string;

  const calls = remoteCalls(() => host);
  const call = (command: 'ADD' | 'DEL') => calls.call(command, 'one');
  const killed = (command: 'ADD' | 'DEL', fault: string): void => {
    const [method = '', what = ''] = fault.split(' ');
    plugin.fail({ [method]: what });
    plugin.calls();
    const line = what === 'late' ? fault : method;
    host.write('/run/isth/config', JSON.stringify(REMOTE));
    assert.equal(calls.attempt(command, 'one', ['sh', '-c', KILL, 'sh', line]).code, 137);
    assert.ok(plugin.calls().includes(line), `${method} was not called`);
    plugin.fail({});
  };
  const assertGone = (): void => {
    assert.doesNotMatch(host.run('ip', '-br', 'link'), /^g[pio]/m, 'links of the plugin');
    assert.doesNotMatch(plugin.calls().join(), /ReleasePool with/, 'addresses of the plugin');
    assertSame(
      hostState(host)
        .split('\n')
        .filter((line) => line !== 'one')
        .join('\n'),
      untouched,
      'the calls',
    );
  };

  before(function () {
    this.timeout(300_000);
    skipIf(this, sdkMissing());
    buildSdkPlugin();
    host = running();
    untouched = hostState(host);
  });
  beforeEach(async () => {
    plugin = await startSdkPlugin(host);
    host.run('ip', 'netns', 'add', 'one');
  });
  afterEach(async () => {
    host.run('ip', 'netns', 'delete', 'one');
    await plugin.stop();
  });

  for (const fault of OF_ADD) {
    it(`ADD at ${fault}: DEL leaves nothing`, () => {
      killed('ADD', fault);
      call('DEL');
      assertGone();
    });
  }

  it('ADD at Join: another ADD works, with the same address', () => {
    killed('ADD', 'Join late');
    assert.equal(call('ADD').ips?.[0]?.address, '10.77.1.2/24');
    call('DEL');
    assertGone();
  });

  for (const fault of OF_DEL) {
    it(`DEL at ${fault}: the next DEL leaves nothing`, () => {
      call('ADD');
      killed('DEL', fault);
      call('DEL');
      assertGone();
      assert.equal(call('ADD').ips?.[0]?.address, '10.77.1.2/24', 'the plugin has its address back');
      call('DEL');
    });
  }
});
