import { strict as assert } from 'node:assert';
import type { AddressSource, DelegateSource } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { addrOf, routeOf } from '../support/addresses.ts';
import {
  addRequest,
  delRequest,
  makeCore,
  makeFakeHost,
  NOTHING,
  OTHER,
  recordsOf,
  type Which,
} from '../support/core.ts';
import { FailingHost, type FailurePoint } from '../support/failing-host.ts';

/** A foreign IPAM plugin that records its calls. */
function delegate(): DelegateSource & { readonly calls: string[] } {
  const calls: string[] = [];
  const address = parsePrefix('10.88.0.9/24') ?? assert.fail();
  const done = (call: string) => async () => void calls.push(call);
  return {
    kind: 'delegate',
    type: 'foreign',
    config: '{}',
    calls,
    acquire: async () => {
      calls.push('ADD');
      return { addresses: [{ address, gateway: addrOf('10.88.0.1') }], routes: [routeOf('0.0.0.0/0')], dns: {} };
    },
    release: done('DEL'),
    check: done('CHECK'),
    status: done('STATUS'),
    collect: done('GC'),
  };
}

interface Setup {
  readonly title: string;
  readonly which: Which;
  readonly source?: () => AddressSource | null;
}

const SETUPS: readonly Setup[] = [
  {
    title: 'a gateway bridge of two families with MAC guard and hairpin',
    which: { conf: { hairpinMode: true, macspoofchk: true } },
  },
  { title: 'a bridge without addresses', which: { conf: { portIsolation: true } }, source: () => null },
  { title: 'a VLAN with a gateway', which: { conf: { vlan: 100, vlanTrunk: [{ minID: 5, maxID: 9 }] } } },
  { title: 'addresses of a foreign IPAM plugin', which: {}, source: delegate },
];

async function addFailing(host: FakeHost, { which, source }: Setup, point?: FailurePoint) {
  const failing = new FailingHost(host, point);
  const core = makeCore(failing);
  const from = source?.();
  const calls = from?.kind === 'delegate' ? (from as ReturnType<typeof delegate>).calls : [];
  const request = addRequest(which, host.identity, from);
  const error = await createEndpoint(core, request).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { core, error, from, calls, steps: failing.applied };
}

for (const setup of SETUPS) {
  describe(`ADD of ${setup.title}, with a failure at each step`, () => {
    for (const when of ['before', 'after'] as const) {
      it(`leaves nothing in the kernel or on record if a step fails ${when} the kernel has executed it`, async () => {
        const { steps, error } = await addFailing(makeFakeHost(), setup);
        assert.equal(error, undefined);
        assert.ok(steps > 5, `${steps} steps`);
        for (let at = 0; at < steps; at++) {
          const host = makeFakeHost();
          const before = host.toString();
          const failed = await addFailing(host, setup, { at, when });
          assert.ok(failed.error instanceof NetError && failed.error.kind === 'kernel', `step ${at}: ${failed.error}`);
          assert.equal(host.toString(), before, `step ${at}`);
          assert.deepEqual(recordsOf(failed.core), NOTHING, `step ${at}`);
          assert.deepEqual([...failed.core.taken], [], 'no lock is held');
          if (failed.from?.kind === 'delegate') assert.equal(failed.calls.at(-1), 'DEL');
        }
      });
    }

    it('does not touch another endpoint of the network', async () => {
      const other: Which = { ...setup.which, id: 'other', netns: OTHER };
      const { steps } = await addFailing(makeFakeHost(), setup);
      for (let at = 0; at < steps; at++) {
        const host = makeFakeHost();
        const core = makeCore(host);
        await createEndpoint(core, addRequest(other, host.identity, setup.source?.()));
        const before = host.toString();
        const records = recordsOf(core);
        const failing = { ...core, host: new FailingHost(host, { at, when: 'before' }) };
        const source = setup.source === undefined ? undefined : setup.source() === null ? null : otherDelegate();
        await createEndpoint(failing, addRequest(setup.which, host.identity, source)).catch(() => undefined);
        if (failing.host.applied <= at) break;
        assert.equal(sorted(host), sorted(before), `step ${at}`);
        assert.deepEqual(recordsOf(core), records, `step ${at}`);
      }
    });

    it('succeeds on retry', async () => {
      const host = makeFakeHost();
      const before = host.toString();
      const core = makeCore(host);
      for (const at of [0, 2, 4]) {
        const failing = { ...core, host: new FailingHost(host, { at, when: 'after' }) };
        await assert.rejects(createEndpoint(failing, addRequest(setup.which, host.identity, setup.source?.())));
      }
      await createEndpoint(core, addRequest(setup.which, host.identity, setup.source?.()));
      const source = setup.source?.() ?? (setup.source === undefined ? undefined : null);
      assert.deepEqual(await deleteEndpoint(core, delRequest(setup.which, host.identity, source)), []);
      assert.equal(host.toString(), before);
      assert.deepEqual(recordsOf(core), NOTHING);
    });
  });
}

/** A value that is set again moves to the end of a FakeHost's text. */
function sorted(text: { toString(): string }): string {
  return text.toString().split('\n').sort().join('\n');
}

/** An address other than the first endpoint's. */
function otherDelegate(): DelegateSource {
  const address = parsePrefix('10.88.0.10/24') ?? assert.fail();
  const given = { addresses: [{ address, gateway: addrOf('10.88.0.1') }], routes: [], dns: {} };
  return { ...delegate(), acquire: async () => given };
}

describe('foreign IPAM plugin', () => {
  it('gets a DEL after its ADD failed, and nothing is left', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    const source = delegate();
    const refusal = new NetError({ kind: 'delegate', op: 'ADD', subject: 'IPAM plugin foreign', what: 'no', code: 11 });
    const acquire = () => Promise.reject(refusal);
    await assert.rejects(createEndpoint(core, addRequest({}, host.identity, { ...source, acquire })), refusal);
    assert.deepEqual(source.calls, ['DEL']);
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('gets another DEL from the next DEL if its first one failed; ADD reports its own error', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    const source = delegate();
    const broken: DelegateSource = {
      ...source,
      acquire: () => Promise.reject(new NetError({ kind: 'delegate', op: 'ADD', subject: 's', what: 'first' })),
      release: () => Promise.reject(new NetError({ kind: 'delegate', op: 'DEL', subject: 's', what: 'second' })),
    };
    await assert.rejects(createEndpoint(core, addRequest({}, host.identity, broken)), { what: 'first' });
    assert.ok(core.logged.some((line) => line.startsWith('revert.failed') && line.includes('second')));
    assert.deepEqual(recordsOf(core), { ...NOTHING, networks: ['web'], endpoints: ['cni web a eth0'] });
    assert.deepEqual(await deleteEndpoint(core, delRequest({}, host.identity, source)), []);
    assert.deepEqual(source.calls, ['DEL']);
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('lets the interface go when its DEL fails, reports the error and keeps the record for a retry', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    const source = delegate();
    await createEndpoint(core, addRequest({}, host.identity, source));
    const release = () => Promise.reject(new NetError({ kind: 'delegate', op: 'DEL', subject: 's', what: 'no' }));
    const errors = await deleteEndpoint(core, delRequest({}, host.identity, { ...source, release }));
    assert.deepEqual(
      errors.map(({ kind, what }) => [kind, what]),
      [['delegate', 'no']],
    );
    assert.ok(!host.toString().includes('veth'), 'the interface is gone');
    assert.deepEqual(recordsOf(core), { ...NOTHING, networks: ['web'], endpoints: ['cni web a eth0'] });
    assert.deepEqual(await deleteEndpoint(core, delRequest({}, host.identity, source)), []);
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('is taken from the record if the configuration names another one', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    const source = delegate();
    core.delegates.set('foreign', source);
    await createEndpoint(core, addRequest({}, host.identity, source));
    assert.deepEqual(await deleteEndpoint(core, delRequest({}, host.identity)), []);
    assert.deepEqual(source.calls, ['ADD', 'DEL']);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  for (const [type, there] of [
    ['dhcp', true],
    ['foreign', false],
  ] as const) {
    it(`calls DEL of ${type} ${there ? 'before' : 'after'} it deletes the link`, async () => {
      const host = makeFakeHost();
      const core = makeCore(host);
      const seen: boolean[] = [];
      const release = async () => void seen.push(host.toString().includes('type veth'));
      const source: DelegateSource = { ...delegate(), type, release };
      await createEndpoint(core, addRequest({}, host.identity, source));
      await deleteEndpoint(core, delRequest({}, host.identity, source));
      assert.deepEqual(seen, [there]);
    });
  }
});
