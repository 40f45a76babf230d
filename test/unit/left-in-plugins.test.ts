import { strict as assert } from 'node:assert';
import { attachmentKey } from '../../src/shared/core/apply.ts';
import { unplugStale } from '../../src/shared/core/plugins/endpoint.ts';
import { forgetLeft, leftInPlugins } from '../../src/shared/core/plugins/left.ts';
import type { LoneEndpoint } from '../../src/shared/model/endpoint.ts';
import {
  putRemoteEndpoint,
  putRemoteNetwork,
  remoteEndpoint,
  remoteNetwork,
} from '../../src/shared/store/remote-notes.ts';
import { attachmentOf, makeCore, makeFakeHost, type TestCore } from '../support/core.ts';

const PLUGINS = { driver: 'gp', ipam: 'gp' };
const NETWORK_ID = 'a'.repeat(64);

describe('what Docker plugins have, and nothing here uses', () => {
  let core: TestCore;

  beforeEach(() => {
    core = makeCore(makeFakeHost());
  });

  function plug(id: string, network = 'acme'): void {
    const address = { family: 4, poolId: 'p', address: '10.7.0.2/24' } as const;
    const facts = { networkId: NETWORK_ID, endpointId: id.repeat(64).slice(0, 64), asked: [], addresses: [address] };
    const attachment = attachmentOf({ id, network });
    core.store.transaction(() =>
      putRemoteEndpoint(core.store.notes, {
        attachment,
        plugins: PLUGINS,
        facts: { ...facts, created: 'yes', joined: 'yes' },
      }),
    );
  }

  function record(id: string, network = 'acme'): void {
    const part: LoneEndpoint = {
      ...{
        kind: 'lone',
        role: 'interface',
        progress: 'intent',
        attachment: attachmentOf({ id, network }),
        aliases: [],
      },
      sandbox: { path: '', id: core.host.own.id },
      link: { ifName: 'eth0', link: { kind: 'awaited' }, alias: '' },
      inside: { addresses: [], routes: [], up: true, detectDuplicates: false },
    };
    core.store.transaction(() => core.store.endpoints.put(part));
  }

  function plugNetwork(network: string): void {
    const pool = {
      family: 4,
      addressSpace: 's',
      poolId: 'p',
      pool: '10.7.0.0/24',
      aux: {},
      requested: [],
      asked: [],
    } as const;
    const facts = { networkId: NETWORK_ID, requiresMac: false, created: 'yes', pools: [pool] } as const;
    const { bootId } = core.host.identity;
    core.store.transaction(() =>
      putRemoteNetwork(core.store.notes, { network, bootId, plugins: PLUGINS, ipamOptions: {}, facts }),
    );
  }

  it('is named by plugin, and forgotten a network at a time', async () => {
    plug('e1');
    plug('e2');
    record('e2');
    plug('f1', 'other');
    plugNetwork('acme');
    plugNetwork('unused');
    assert.deepEqual(leftInPlugins(core.store), [
      { plugins: ['gp'], network: 'acme', what: 'endpoint e1e1e1e1e1e1 with 10.7.0.2/24' },
      { plugins: ['gp'], network: 'other', what: 'endpoint f1f1f1f1f1f1 with 10.7.0.2/24' },
      { plugins: ['gp'], network: 'unused', what: `network ${'a'.repeat(12)} with 10.7.0.0/24` },
    ]);
    assert.deepEqual(
      (await forgetLeft(core, 'acme')).map(({ what }) => what),
      ['endpoint e1e1e1e1e1e1 with 10.7.0.2/24'],
    );
    const { notes } = core.store;
    assert.ok(remoteEndpoint(notes, attachmentOf({ id: 'e2', network: 'acme' })), 'one on record stays');
    assert.ok(remoteNetwork(notes, 'acme'), 'its network, too');
    await forgetLeft(core, 'unused');
    assert.deepEqual(
      leftInPlugins(core.store).map(({ network }) => network),
      ['other'],
    );
    assert.deepEqual(await forgetLeft(core, 'nothing'), []);
  });

  it('a sweep takes no lock of an attachment on record: its ADD may wait for the lock of the one that sweeps', async () => {
    plug('e1');
    plug('e2');
    record('e2');
    const taken: string[] = [];
    await unplugStale(core, { network: 'acme', keep: [] }, async (_, key) => {
      taken.push(key);
      return [];
    });
    assert.deepEqual(taken, [attachmentKey(attachmentOf({ id: 'e1', network: 'acme' }))]);
  });
});
