import { strict as assert } from 'node:assert';
import { isOnRecord } from '../../cmd/cnm-shim/cluster-uses.ts';
import { addressKey } from '../../src/shared/cluster/keys.ts';
import { formatAddress } from '../../src/shared/cluster/values.ts';
import { MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { addrOf, networkRequest } from '../support/cluster-machine.ts';
import { hostRecord, type KernelLab, makeKernelLab } from '../support/kernel-lab.ts';
import { attachment, endpoint, FIRST_BOOT, network } from './store-behaviour.ts';

const macOf = (n: number): string =>
  `0a:58:0a:58:${[n >> 8, n & 255].map((b) => b.toString(16).padStart(2, '0')).join(':')}`;

describe('tables of the kernel that follow the cluster', () => {
  let lab: KernelLab;
  const key = (n: number): string => addressKey(lab.network, addrOf(`10.88.${n >> 8}.${n & 255}`));
  const value = (n: number, host: string, mac = macOf(n)): string =>
    formatAddress({ host, mac, endpoint: `cni/c${n}/eth0`, bootId: 'b', claim: 'c' });
  /** What the kernel is told, and how often its tables are read, for one commit. */
  const told = async (put: Record<string, string>, gone: readonly string[] = []): Promise<[string[], number]> => {
    const [ops, comparisons] = [lab.ops.length, lab.comparisons];
    await lab.write(put, gone);
    lab.follow();
    assert.deepEqual(lab.lack(), []);
    return [lab.ops.slice(ops).map(({ op }) => op), lab.comparisons - comparisons];
  };
  beforeEach(async () => {
    lab = await makeKernelLab(networkRequest('web', { subnets: ['10.88.0.0/16'] }));
    const many = Array.from({ length: 1_000 }, (_, i) => [key(i + 2), value(i + 2, `h${i % 3}`)] as const);
    for (const n of [0, 1, 2]) await lab.write(hostRecord(`h${n}`, `192.0.2.${10 + n}`));
    await lab.write(Object.fromEntries(many));
    lab.follow();
  });
  afterEach(() => lab[Symbol.dispose]());

  it('an endpoint that comes, moves and goes costs its own entries, beside a thousand others', async () => {
    assert.deepEqual(await told({ [key(2_000)]: value(2_000, 'h0') }), [
      ['fdb.replace', 'fdb.replace', 'neigh.replace'],
      0,
    ]);
    assert.deepEqual(await told({ [key(2_000)]: value(2_000, 'h1') }), [['fdb.replace'], 0]);
    assert.deepEqual(await told({}, [key(2_000)]), [['fdb.delete', 'fdb.delete', 'neigh.delete'], 0]);
  });

  it('a host that comes or says something else of itself costs nothing, unless it has entries here', async () => {
    assert.deepEqual(await told(hostRecord('h9', '192.0.2.19')), [[], 0]);
    assert.deepEqual(await told({ 'up/h1': JSON.stringify({ name: 'h1', bootId: 'b', isReady: true }) }), [[], 0]);
    assert.deepEqual(await told({ [key(2_000)]: value(2_000, 'h8') }), [[], 0], 'nobody knows where h8 is');
    assert.deepEqual(await told(hostRecord('h8', '192.0.2.18')), [['fdb.replace', 'fdb.replace', 'neigh.replace'], 1]);
  });

  it('a host that moves is compared as a whole', async () => {
    const [ops, comparisons] = await told(hostRecord('h2', '192.0.2.99'));
    assert.deepEqual([ops.length, comparisons], [333, 1]);
  });

  it('two hosts that claim one MAC are compared as a whole', async () => {
    const [, comparisons] = await told({ [key(2_000)]: value(2_000, 'h1', macOf(2)) });
    assert.equal(comparisons, 1);
    await told({}, [key(2_000)]);
  });

  it('an entry whose host is forgotten in the same moment goes', async () => {
    const [ops] = await told({}, [key(3), 'host/h1']);
    assert.ok(ops.includes('neigh.delete'));
  });

  it('devices that were made again are compared, also where nothing has changed', async () => {
    const ns = 'host';
    const remade = lab.fake.observe(lab.fake.own, { links: ['vx0'] }).links.get('vx0');
    assert.ok(remade?.vxlan);
    const link = { kind: 'vxlan', id: 42, local: '192.0.2.7', learning: false } as const;
    lab.fake.apply(
      [
        { op: 'link.delete', ns, name: 'vx0' },
        { op: 'link.create', ns, name: 'vx0', link, mac: '02:00:00:00:00:c0', master: 'isth0' },
        { op: 'link.set', ns, name: 'vx0', set: { up: true } },
      ],
      { host: lab.fake.own },
    );
    assert.equal(lab.lack().length, 2_000);
    lab.follow();
    assert.deepEqual(lab.lack(), []);
  });

  it('devices that come after the comparison that missed them are filled, as at a start without the store', () => {
    const ns = 'host';
    const link = { kind: 'vxlan', id: 42, local: '192.0.2.7', learning: false } as const;
    lab.fake.apply([{ op: 'link.delete', ns, name: 'vx0' }], { host: lab.fake.own });
    lab.tables.doubt();
    lab.tables.compareIfDue();
    lab.fake.apply(
      [
        { op: 'link.create', ns, name: 'vx0', link, mac: '02:00:00:00:00:c0', master: 'isth0' },
        { op: 'link.set', ns, name: 'vx0', set: { up: true } },
      ],
      { host: lab.fake.own },
    );
    assert.equal(lab.lack().length, 2_000);
    lab.tables.compareIfDue();
    assert.deepEqual(lab.lack(), []);
    const { comparisons } = lab;
    lab.tables.compareIfDue();
    assert.equal(lab.comparisons, comparisons);
  });

  it('what somebody deletes is back after the next comparison', () => {
    lab.fake.apply([{ op: 'neigh.delete', ns: 'host', dev: 'isth0', address: '10.88.0.5', mac: macOf(5) }], {
      host: lab.fake.own,
    });
    lab.follow();
    assert.equal(lab.lack().length, 1);
    lab.tables.compareIfDue();
    assert.equal(lab.lack().length, 1, 'nobody has said that the kernel changed');
    lab.tables.doubt();
    lab.tables.compareIfDue();
    assert.deepEqual(lab.lack(), []);
  });
});

describe('endpoints on record, as values of the cluster name them', () => {
  it('are found by their container, and read no other one', () => {
    const store = new MemoryStore(FIRST_BOOT);
    store.networks.put(network('web'));
    for (const [id, on] of [
      ['c1', 'web'],
      ['c2', 'lost'],
    ] as const)
      store.endpoints.put(endpoint(id, { attachment: attachment(id, on) }));
    const only = { endpoints: { ...store.endpoints, list: () => assert.fail('it has read all of them') } };
    assert.equal(isOnRecord(only, 'cni/c1/eth0'), true, 'whatever the network is called here');
    assert.equal(isOnRecord(only, 'cni/c2/eth0'), true, 'without a record of its network');
    for (const text of ['cni/c3/eth0', 'cni/c1/eth1', 'cnm/c1/eth0', 'c1', ''])
      assert.equal(isOnRecord(only, text), false, text);
  });
});
