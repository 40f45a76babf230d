import { strict as assert } from 'node:assert';
import { attachmentKey } from '../../src/shared/core/apply.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { desired } from '../../src/shared/core/desired.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { type Reconciled, reconcile } from '../../src/shared/core/reconcile.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host } from '../../src/shared/host/host.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import {
  add,
  addRequest,
  attachmentOf,
  makeCore,
  makeFakeHost,
  NOTHING,
  OTHER,
  recordsOf,
  type Which,
} from '../support/core.ts';
import { FailingHost, type FailurePoint } from '../support/failing-host.ts';

const FREE = { [Symbol.dispose]: () => {} };

/** The number of steps of an ADD; with a point, the state after its process ends there. */
async function addDying(host: FakeHost, disk: MemoryDisk, point?: FailurePoint, which: Which = {}): Promise<number> {
  const dying = new FailingHost(host, point);
  const core = makeCore(dying, disk);
  const mortal: Core = Object.create(core, {
    store: {
      get: () => {
        if (dying.applied > (point?.at ?? Number.POSITIVE_INFINITY)) throw new Error('nobody is there any more');
        return core.store;
      },
    },
  });
  await createEndpoint(mortal, addRequest(which, host.identity)).catch(() => {});
  return dying.applied;
}

function reconciled(
  host: Host,
  disk: MemoryDisk,
  tryLock: (key: string) => Disposable = () => FREE,
): Promise<Reconciled> {
  return reconcile(makeCore(host, disk), { tryLock });
}

describe('core: reconcile at daemon start', () => {
  it('reverts an ADD that crashed at any step', async () => {
    const steps = await addDying(makeFakeHost(), new MemoryDisk());
    assert.ok(steps > 5, `${steps} steps`);
    for (let at = 0; at < steps; at++) {
      for (const when of ['before', 'after'] as const) {
        const [host, disk] = [makeFakeHost(), new MemoryDisk()];
        const before = host.toString();
        await addDying(host, disk, { at, when });
        const { endpoints, errors } = await reconciled(host, disk);
        assert.deepEqual([endpoints, errors], [1, []], `${when} ${at}`);
        assert.deepEqual(recordsOf(makeCore(host, disk)), NOTHING, `${when} ${at}`);
        assert.equal(host.toString(), before, `${when} ${at}`);
      }
    }
  });

  it('leaves live endpoints and their network alone', async () => {
    const [host, disk] = [makeFakeHost(), new MemoryDisk()];
    await add(makeCore(host, disk), { id: 'b', netns: OTHER });
    const before = host.toString();
    await addDying(host, disk, { at: 2, when: 'after' });
    const { endpoints, networks } = await reconciled(host, disk);
    assert.deepEqual([endpoints, networks], [1, 0]);
    assert.equal(host.toString(), before);
    const { endpoints: nothing } = await reconciled(host, disk);
    assert.equal(nothing, 0);
    assert.equal(host.toString(), before);
  });

  it('leaves alone what a call of another process is working on', async () => {
    const [host, disk] = [makeFakeHost(), new MemoryDisk()];
    await addDying(host, disk, { at: 2, when: 'after' });
    const busy = attachmentKey(attachmentOf());
    const { endpoints, errors } = await reconciled(host, disk, (key) => {
      if (key === busy) throw new NetError({ kind: 'busy', op: 'lock', subject: key, what: 'is held' });
      return FREE;
    });
    assert.deepEqual([endpoints, errors], [0, []]);
    assert.equal(makeCore(host, disk).store.endpoints.list().length, 1);
  });

  it("leaves an endpoint of a foreign IPAM plugin to the DEL that knows the plugin's path", async () => {
    const [host, disk] = [makeFakeHost(), new MemoryDisk()];
    await addDying(host, disk, { at: 2, when: 'after' });
    const { store } = makeCore(host, disk);
    const [row = assert.fail()] = store.endpoints.list();
    assert.ok(row.kind === 'cni');
    store.endpoints.put({ ...row, delegate: { type: 'dhcp', config: '{}' } });
    const { endpoints } = await reconciled(host, disk);
    assert.equal(endpoints, 0);
    assert.equal(store.endpoints.list().length, 1);
  });

  it('deletes a network whose last endpoint was deleted while a daemon crashed', async () => {
    const [host, disk] = [makeFakeHost(), new MemoryDisk()];
    const before = host.toString();
    const core = makeCore(host, disk);
    await add(core, {});
    const [row = assert.fail()] = core.store.endpoints.list();
    host.revert(desired(row).undo, { host: host.own, sandbox: host.open(row.sandbox.path) });
    core.store.endpoints.delete(row.attachment, row.role);
    const { networks, errors } = await reconciled(host, disk);
    assert.deepEqual([networks, errors], [1, []]);
    assert.equal(host.toString(), before);
  });

  it('reports failures and does the rest', async () => {
    const [host, disk] = [makeFakeHost(), new MemoryDisk()];
    const at = (await addDying(makeFakeHost(), new MemoryDisk())) - 1;
    await addDying(host, disk, { at, when: 'after' });
    await addDying(host, disk, { at: 2, when: 'after' }, { id: 'b', netns: OTHER });
    const core = makeCore(host, disk);
    assert.equal(core.store.endpoints.list().length, 2);
    const hostIf = hostIfName(attachmentOf());
    const refusal = new NetError({ kind: 'kernel', op: 'link.delete', subject: hostIf, what: 'was chosen to fail' });
    const half: Host = {
      identity: host.identity,
      own: host.own,
      open: (path) => host.open(path),
      observe: (ns, query) => host.observe(ns, query),
      apply: (ops, namespaces) => host.apply(ops, namespaces),
      revert: (ops, namespaces) =>
        ops.some((op) => op.op === 'link.delete' && op.name === hostIf) ? [refusal] : host.revert(ops, namespaces),
    };
    const { endpoints, errors } = await reconciled(half, disk);
    assert.equal(endpoints, 1);
    assert.match(errors[0]?.message ?? '', /chosen to fail/);
    assert.deepEqual(
      core.store.endpoints.list().map(({ attachment }) => attachment.containerId),
      ['a'],
    );
  });
});
