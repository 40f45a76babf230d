import { strict as assert } from 'node:assert';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { type AcceptedCall, CniService, release } from '../../cmd/cnm-shim/cni/service.ts';
import { enterNetns, makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir } from '../support/temp.ts';

const NAME = 'unclaimed';

/** One call of `plugin` for the same container, as a launcher hands it over. */
function callOf(plugin: string, command: string, netns: string, stamp: string, config: object): AcceptedCall {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: NAME,
    CNI_IFNAME: 'eth0',
    CNI_NETNS: netns,
    CNI_PATH: '/opt/cni',
  };
  const stdin = JSON.stringify({ cniVersion: '1.0.0', name: NAME, type: plugin, ...config });
  const request = { argv0: plugin, env, stdin, netnsFd: -1, stateDir: undefined };
  return {
    request,
    sandbox: openSync(netns, 'r'),
    since: performance.now(),
    gone: () => new AbortController().signal,
    stamp,
  };
}

describe('deleteUnclaimed', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  for (const [plugin, attached] of [
    ['bridge', 'eth0'],
    ['tuning', 'mtu 1300'],
  ] as const) {
    it(`deletes what the ${plugin} call attached, and not what a later ADD attached under the same name`, async () => {
      using machine = makeNetns('host-');
      using _inside = enterNetns(machine.path);
      using stack = new DisposableStack();
      using temp = makeTempDir();
      using pod = makeNetns('unclaimed-');
      const ignore = (): void => {};
      const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
      using service = new CniService({ stateDir: join(temp.path, 'state'), env: { ISTHMUS_HOST_ID: NAME }, log });
      const run = async (name: string, command: string, stamp: string): Promise<AcceptedCall> => {
        const config = name === 'bridge' ? { bridge: `b${NAME}` } : { mtu: 1300, prevResult: { cniVersion: '1.0.0' } };
        const call = callOf(name, command, pod.path, stamp, config);
        stack.defer(() => release(call));
        const { code, stdout } = await service.answer(call);
        assert.equal(code, 0, stdout);
        return call;
      };
      const isThere = (): boolean => pod.ip('-o', 'link', 'show').includes(attached);
      try {
        if (plugin !== 'bridge') await run('bridge', 'ADD', 'interface');
        const first = await run(plugin, 'ADD', 'first');
        await run(plugin, 'DEL', 'runtime');
        const second = await run(plugin, 'ADD', 'second');
        await service.deleteUnclaimed(first);
        assert.equal(isThere(), true);
        await service.deleteUnclaimed(second);
        assert.equal(isThere(), false);
      } finally {
        await run('tuning', 'DEL', 'end');
        await run('bridge', 'DEL', 'end');
      }
    });
  }
});
