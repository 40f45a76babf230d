import { strict as assert } from 'node:assert';
import type { Core } from '../../src/shared/core/core.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { ensureChainedRules } from '../../src/shared/core/networks/rules.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { Owned } from '../../src/shared/model/owned.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { attachmentOf, del, makeCore, makeFakeHost, OTHER, POD, type Which } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { addWithSpec, DOCKER, keepRequest, type SpecParts, specFor } from '../support/kept-network.ts';

const SYSCTLS = { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' };
/** State that an endpoint's own row does not repeat: VLANs and port flags. */
const VARIANTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'a plain bridge': {},
  'a bridge with hairpin and isolated ports': { hairpinMode: true, portIsolation: true },
  'a bridge with VLANs and a gateway in one of them': { vlan: 100, vlanTrunk: [{ minID: 10, maxID: 20 }] },
};

function deleteBridge({ host }: Core): void {
  assert.deepEqual(host.revert([{ op: 'link.delete', ns: 'host', name: 'isth0' }], { host: host.own }), []);
}

async function errorsOf(core: Core): Promise<readonly NetError[]> {
  const { errors } = await reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }), sweep: true });
  return errors;
}

/** The state as lines: a recreated bridge comes last. */
function linesOf({ host }: Core): string[] {
  return host.toString().split('\n').toSorted();
}

/** The same host and its state after a reboot. */
function rebooted(disk: MemoryDisk): ReturnType<typeof makeCore> {
  const host = new FakeHost({
    own: { sysctls: SYSCTLS },
    namespaces: { [POD]: {}, [OTHER]: {} },
    identity: { bootId: 'next' },
  });
  return makeCore(host, disk);
}

describe('core: restore at daemon start', () => {
  it('recreates a persistent network after a reboot', async () => {
    const disk = new MemoryDisk();
    const core = makeCore(makeFakeHost(), disk);
    await createNetwork(core, keepRequest());
    const whole = linesOf(core);
    await addWithSpec(core);
    const next = rebooted(disk);
    const bare = linesOf(next);
    assert.deepEqual(await errorsOf(next), []);
    assert.deepEqual(linesOf(next), whole);
    assert.equal(next.store.networks.get('web')?.bootId, 'next');
    await addWithSpec(next);
    assert.deepEqual(await del(next), []);
    assert.deepEqual(linesOf(next), whole);
    assert.deepEqual(await deleteNetwork(next, 'web', DOCKER), []);
    assert.deepEqual(linesOf(next), bare);
  });

  it('does not recreate a network of pods only', async () => {
    const disk = new MemoryDisk();
    await addWithSpec(makeCore(makeFakeHost(), disk));
    const next = rebooted(disk);
    const bare = linesOf(next);
    assert.deepEqual(await errorsOf(next), []);
    assert.deepEqual(linesOf(next), bare);
  });

  it('does nothing if nothing is missing', async () => {
    const core = makeCore(makeFakeHost());
    await createNetwork(core, keepRequest());
    await createNetwork(
      core,
      keepRequest({ name: 'none', spec: { options: { driver: 'null' }, ranges: [], routes: [] } }),
    );
    await addWithSpec(core);
    const before = [core.host.toString(), core.store.networks.list()];
    assert.deepEqual(await errorsOf(core), []);
    assert.deepEqual([core.host.toString(), core.store.networks.list()], before);
    assert.deepEqual(core.logged, []);
  });

  for (const [title, conf] of Object.entries(VARIANTS)) {
    it(`recreates ${title} that somebody deleted, with its ports`, async () => {
      const core = makeCore(makeFakeHost());
      const empty = linesOf(core);
      const parts: SpecParts = { conf };
      await createNetwork(core, keepRequest({ spec: specFor('web', parts) }));
      const pods: Which[] = [
        { id: 'a', conf },
        { id: 'b', netns: OTHER, conf },
      ];
      for (const pod of pods) await addWithSpec(core, pod);
      const whole = linesOf(core);
      deleteBridge(core);
      assert.notDeepEqual(linesOf(core), whole);
      assert.deepEqual(await errorsOf(core), []);
      assert.deepEqual(linesOf(core), whole);
      for (const pod of pods) assert.deepEqual(await del(core, pod), []);
      assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
      assert.deepEqual(linesOf(core), empty);
    });
  }

  for (const who of ['that has a holder', 'of pods only'] as const)
    it(`restores a network ${who} and its port if the endpoint's record was rebuilt from its interface`, async () => {
      const core = makeCore(makeFakeHost());
      const conf = { hairpinMode: true, isGateway: true };
      if (who === 'that has a holder') await createNetwork(core, keepRequest({ spec: specFor('web', { conf }) }));
      await addWithSpec(core, { conf });
      const whole = linesOf(core);
      const row = core.store.endpoints.get(attachmentOf(), 'interface') ?? assert.fail();
      const { attachment, sandbox } = row;
      const hostIf = hostIfName(attachment);
      core.store.endpoints.put({ kind: 'recalled', role: 'interface', attachment, sandbox, hostIf, progress: 'ready' });
      deleteBridge(core);
      assert.deepEqual(await errorsOf(core), []);
      assert.deepEqual(linesOf(core), whole);
    });

  for (const [what, conf] of [
    ['isolates', { portIsolation: true }],
    ['does not isolate', { vlan: 100, portIsolation: true }],
    ['does not isolate', {}],
  ] as const) {
    it(`${what} the port of such an endpoint in the packet filter: ${JSON.stringify(conf)}`, async () => {
      const filter = new FakeFirewaller();
      const core = { ...makeCore(makeFakeHost()), firewall: (backend: FirewallBackend) => filter.of(backend) };
      await createNetwork(core, keepRequest({ spec: specFor('web', { conf }) }));
      await addWithSpec(core, { conf });
      const isolated = filter.list('isolated');
      assert.equal(isolated.length, what === 'isolates' ? 1 : 0);
      const { attachment, sandbox } = core.store.endpoints.get(attachmentOf(), 'interface') ?? assert.fail();
      const hostIf = hostIfName(attachment);
      core.store.endpoints.put({ kind: 'recalled', role: 'interface', attachment, sandbox, hostIf, progress: 'ready' });
      for (const sweep of [true, false]) {
        await filter.of('bridge').reset(() => ({ entries: [] }));
        const { errors } = await reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }), sweep });
        assert.deepEqual(errors, []);
        assert.deepEqual(filter.list('isolated'), isolated);
      }
    });
  }

  it('reattaches the ports of every network on the bridge, but no port of another bridge', async () => {
    const core = makeCore(makeFakeHost());
    await createNetwork(core, keepRequest());
    await addWithSpec(core, { id: 'a' });
    await addWithSpec(core, { network: 'other', netns: OTHER }, { subnets: ['10.89.0.0/24'] });
    const whole = linesOf(core);
    deleteBridge(core);
    assert.deepEqual(await errorsOf(core), []);
    assert.deepEqual(linesOf(core), whole);
    deleteBridge(core);
    const moved = hostIfName(attachmentOf({ id: 'a' }));
    const elsewhere: Op[] = [
      { op: 'link.create', ns: 'host', name: 'br9', link: { kind: 'bridge' } },
      { op: 'link.set', ns: 'host', name: moved, set: { master: 'br9' } },
    ];
    core.host.apply(elsewhere, { host: core.host.own });
    assert.deepEqual(await errorsOf(core), []);
    const { links } = core.host.observe(core.host.own, { links: 'all' });
    assert.deepEqual(
      [moved, hostIfName(attachmentOf({ network: 'other' }))].map((name) => links.get(name)?.master),
      ['br9', 'isth0'],
    );
  });

  for (const [title, owned] of [
    ['', { kind: 'localnet', dev: 'isth0' }],
    [
      ', by a setting that was there before',
      {
        kind: 'entry',
        backend: 'nftables',
        entry: { kind: 'hairpin', device: 'isth0', subnet: '10.88.0.0/24' },
      },
    ],
  ] as const satisfies readonly (readonly [string, Owned])[]) {
    it(`makes published ports reachable over 127.0.0.1 again${title}`, async () => {
      const core = makeCore(makeFakeHost());
      await createNetwork(core, keepRequest());
      const row = core.store.networks.get('web') ?? assert.fail();
      const key = 'net/ipv4/conf/isth0/route_localnet';
      core.store.networks.put({ ...row, owned: [owned, ...row.owned] });
      deleteBridge(core);
      assert.deepEqual(await errorsOf(core), []);
      assert.equal(core.host.observe(core.host.own, { sysctls: [key] }).sysctls.get(key), '1');
    });
  }

  it('continues after a network that it cannot restore', async () => {
    const core = makeCore(makeFakeHost());
    await createNetwork(core, keepRequest());
    const second = { conf: { bridge: 'isth1' }, subnets: ['10.99.0.0/24'] };
    await createNetwork(core, keepRequest({ name: 'web2', spec: specFor('web2', second) }));
    for (const name of ['isth0', 'isth1'])
      core.host.revert([{ op: 'link.delete', ns: 'host', name }], { host: core.host.own });
    const dummy: Op = { op: 'link.create', ns: 'host', name: 'isth0', link: { kind: 'ifb' } };
    core.host.apply([dummy], { host: core.host.own });
    const [error, ...more] = await errorsOf(core);
    assert.match(error?.message ?? '', /link isth0: exists and is of kind ifb/);
    assert.deepEqual(more, []);
    assert.match(core.host.toString(), /10\.99\.0\.1\/24 brd \+ dev isth1/);
  });

  it('restores the network even if a chained plugin used it first after a reboot', async () => {
    const disk = new MemoryDisk();
    await createNetwork(makeCore(makeFakeHost(), disk), keepRequest());
    const next = rebooted(disk);
    const ports = { snat: true, masqAll: false, conditions: { 4: [], 6: [] } };
    const options = { backend: 'none', policy: 'open', ports } as const;
    const rules = { backend: 'none', options, mappings: [], admit: true } as const;
    await ensureChainedRules(next, 'web', 'isth0', rules, { addresses: [], routes: [] });
    const { holders, spec, driver, bootId } = next.store.networks.get('web') ?? assert.fail();
    assert.deepEqual([holders, spec, driver, bootId], [[DOCKER], specFor(), 'bridge', 'next']);
    assert.deepEqual(await errorsOf(next), []);
    assert.match(next.host.toString(), /isth0/);
  });
});
