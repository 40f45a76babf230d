import { strict as assert } from 'node:assert';
import { collectGarbage } from '../../src/shared/core/collect-garbage.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { createPlugged } from '../../src/shared/core/plugins/create-plugged.ts';
import { networkOfDriver } from '../../src/shared/core/plugins/spec.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import type { PluggedEndpointRequest } from '../../src/shared/core/requests.ts';
import { refused } from '../../src/shared/remote/failures.ts';
import {
  listRemoteEndpoints,
  putRemoteEndpoint,
  putRemoteNetwork,
  remoteEndpoint,
  remoteNetwork,
} from '../../src/shared/store/remote-notes.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { attachmentOf, makeCore, OTHER, POD, type Which } from '../support/core.ts';
import { emptyState, memoryPlugin } from '../support/plugin-server.ts';

const IPAM = { plugin: 'gp', options: {}, pools: [{ family: 4 as const }] };

describe('an endpoint that a Docker plugin makes', () => {
  const make = (identity = {}) => {
    const host = new FakeHost({ namespaces: { [POD]: {}, [OTHER]: {} }, ...identity });
    const state = emptyState();
    const calls: string[] = [];
    const failing = new Map<string, string>();
    const before = (method: string): void => {
      calls.push(method.split('.')[1] ?? '');
      const text = failing.get(method.split('.')[1] ?? '');
      if (text !== undefined) throw refused(method, 'gp', text);
    };
    const after = (method: string): void => {
      const id = Array.from(state.endpoints).pop() ?? '';
      if (method === 'NetworkDriver.CreateEndpoint')
        host.apply([{ op: 'link.create', ns: 'host', name: `p${id.slice(0, 8)}`, link: { kind: 'dummy' } }], {
          host: host.own,
        });
    };
    const gp = memoryPlugin(state, before, after);
    const core: Core = { ...makeCore(host), plugin: async () => gp };
    return { host, state, calls, failing, core };
  };
  const request = (which: Which = {}, options = {}): PluggedEndpointRequest => {
    const attachment = attachmentOf({ network: 'net', ...which });
    const driver = { driver: 'remote', plugin: 'gp', options } as const;
    const plugged = networkOfDriver('net', driver, IPAM);
    const netns = which.netns ?? POD;
    return {
      ...{ attachment, role: 'interface', netns, ownNamespace: false, aliases: [] },
      ...{ plugged, requested: [], ports: [] },
    };
  };
  const remove = (core: Core, which: Which = {}) => deleteEndpoint(core, { ...request(which), orphans: 'own' });
  const tryLock = () => ({ [Symbol.dispose]: () => undefined });

  it('leaves nothing in the plugin or on record after DEL', async () => {
    const { core, state } = make();
    const report = await createPlugged(core, request());
    assert.equal(report.interfaces[0]?.name, 'eth0');
    assert.deepEqual(await remove(core), []);
    assert.deepEqual(state, { ...emptyState() });
    assert.deepEqual(
      [remoteEndpoint(core.store.notes, request().attachment), remoteNetwork(core.store.notes, 'net')],
      [undefined, undefined],
    );
  });

  it('with other options is refused while the network is used, and replaces it otherwise', async () => {
    const { core, state } = make();
    await createPlugged(core, request());
    const other = request({ id: 'b', netns: OTHER }, { mode: 'x' });
    await assert.rejects(createPlugged(core, other), { kind: 'conflict' });
    assert.equal(state.networks.size, 1);
    assert.deepEqual(await remove(core), []);
    await createPlugged(core, other);
    assert.equal(state.networks.size, 1);
  });

  it('is kept on record where its deletion is refused, and forgotten at the second refusal', async () => {
    const { core, failing, calls } = make();
    await createPlugged(core, request());
    failing.set('DeleteEndpoint', 'internal error');
    const [failure] = await remove(core);
    assert.equal(failure?.kind, 'delegate');
    assert.ok(core.store.endpoints.get(request().attachment, 'interface'));
    calls.length = 0;
    assert.deepEqual(await remove(core), []);
    assert.ok(!calls.includes('Leave'), 'what was deleted before is not deleted again');
    assert.deepEqual(core.store.endpoints.list(), []);
  });

  it('of an earlier boot goes from the plugin with the next ADD, and its network with it', async () => {
    const { core, state } = make();
    await createPlugged(core, request());
    const [endpoint] = listRemoteEndpoints(core.store.notes);
    const network = remoteNetwork(core.store.notes, 'net');
    assert.ok(endpoint && network);
    core.store.endpoints.delete(endpoint.attachment, 'interface');
    putRemoteNetwork(core.store.notes, { ...network, bootId: 'earlier' });
    await createPlugged(core, request({ id: 'b', netns: OTHER }));
    assert.deepEqual(Array.from(state.endpoints).length, 1);
    assert.equal(state.networks.size, 1);
    assert.equal(listRemoteEndpoints(core.store.notes).length, 1);
  });

  it('without a record goes with GC unless it is alive, and with reconciliation', async () => {
    for (const work of [
      (core: Core) => collectGarbage(core, { camp: 'cni', network: 'net', keep: [], interfaces: true }),
      async (core: Core) => [...(await reconcile(core, { tryLock })).errors],
    ]) {
      const { core, state } = make();
      await createPlugged(core, request());
      const [endpoint] = listRemoteEndpoints(core.store.notes);
      assert.ok(endpoint);
      core.store.endpoints.delete(endpoint.attachment, 'interface');
      putRemoteEndpoint(core.store.notes, endpoint);
      assert.deepEqual(await work(core), []);
      assert.deepEqual(state, emptyState());
    }
  });
});
