import { strict as assert } from 'node:assert';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

describe('STATUS of a pool without a free address', function () {
  this.timeout(60_000);
  let dir: PluginDir;
  let host: CniHost;

  before(function () {
    skipIf(this, netnsMissing());
    dir = pluginDir();
  });
  beforeEach(() => {
    host = makeHost(2);
  });
  afterEach(() => host?.[Symbol.dispose]());
  after(() => dir?.[Symbol.dispose]());

  function full(more: Readonly<Record<string, unknown>> = {}): NetConf {
    const ipam = { ranges: [[{ subnet: '10.88.0.0/30' }]] };
    return { ...bridgeConf('isthmus', host), ipam, ...more, cniVersion: '1.1.0' };
  }
  const how = (command: 'ADD' | 'STATUS' | 'DEL', config: NetConf) => {
    return { dir: dir.path, name: 'isthmus', command, pod: 0, config };
  };

  it('is an error, unless "exhaustedStatus" asks for a line in the log', () => {
    host.ok(how('ADD', full()));
    for (const config of [full(), full({ exhaustedStatus: 'error' })]) {
      const { code, json } = host.run(how('STATUS', config));
      assert.deepEqual([code, json?.code], [1, 50]);
    }
    host.ok(how('STATUS', full({ exhaustedStatus: 'log' })));
    host.ok(how('DEL', full()));
  });

  it('"exhaustedStatus": "log" hides nothing else, and has two values', () => {
    const noGateway = full({ exhaustedStatus: 'log', mtu: 1 });
    assert.equal(host.run(how('STATUS', noGateway)).code, 1);
    const { code, json } = host.run(how('STATUS', full({ exhaustedStatus: 'warn' })));
    assert.deepEqual([code, json?.code], [1, 7]);
    assert.match(String(json?.msg), /exhaustedStatus.*"warn"/);
  });
});
