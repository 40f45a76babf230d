import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host, Namespaces } from '../../src/shared/host/host.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { netnsMissing, withNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const ns = 'host';
const DEVICES = ['br0', 'vx0', 'vx6', 'dum0', 'dum1'] as const;
const [FIRST, SECOND] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
/** Those of vx0 and of the bridge are among them. */
const MACS = ['0a:58:0a:09:00:07', '0a:58:0a:09:00:08', '00:00:00:00:00:00', FIRST, SECOND];
const ADDRESSES = ['10.9.0.7', '10.9.0.8', 'fd00:9::7'];
const ENDS = ['10.0.0.2', '10.0.0.3', 'fd00::2'];

const veth = { kind: 'veth', peer: { ns, name: 'dum1', mac: '02:00:00:00:00:04' } } as const;
/** Nothing sends a frame: the bridge learns none of these MACs. */
const START: readonly Op[] = [
  { op: 'link.create', ns, name: 'br0', link: { kind: 'bridge' }, mac: SECOND },
  {
    op: 'link.create',
    ns,
    name: 'vx0',
    link: { kind: 'vxlan', id: 42, local: '10.0.0.1', learning: false },
    mac: FIRST,
  },
  { op: 'link.create', ns, name: 'vx6', link: { kind: 'vxlan', id: 42, local: 'fd00::1' }, mac: '02:00:00:00:00:06' },
  { op: 'link.create', ns, name: 'dum0', link: veth, mac: '02:00:00:00:00:03' },
  ...DEVICES.map((name): Op => ({ op: 'link.set', ns, name, set: { addrGenMode: 'none' } })),
  { op: 'link.set', ns, name: 'vx0', set: { master: 'br0' } },
];

type Change = 'add' | 'replace' | 'delete';

const dev = fc.constantFrom(...DEVICES);
const mac = fc.constantFrom(...MACS.filter((each) => each !== undefined));
const change = fc.constantFrom('add', 'replace', 'replace', 'delete' as const);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ change, dev, mac, end: fc.constantFrom(...ENDS) }).map(own) },
  { weight: 3, arbitrary: fc.record({ change, dev, mac }).map(behind) },
  { weight: 3, arbitrary: fc.record({ change, dev, mac, address: fc.constantFrom(...ADDRESSES) }).map(neighbour) },
  fc.record({ name: dev, up: fc.boolean() }).map(({ name, up }): Op => ({ op: 'link.set', ns, name, set: { up } })),
  fc
    .record({ name: fc.constantFrom('vx0', 'vx6', 'dum0'), master: fc.constantFrom('br0', null) })
    .map(({ name, master }): Op => ({ op: 'link.set', ns, name, set: { master } })),
  fc
    .record({ name: fc.constantFrom('vx0', 'vx6', 'dum0'), local: fc.constantFrom('10.0.0.1', '10.0.0.9', 'fd00::9') })
    .map(({ name, local }): Op => ({ op: 'link.set', ns, name, set: { vxlan: { local } } })),
);

function own({ change, dev, mac, end }: { change: Change; dev: string; mac: string; end: string }): Op {
  // Of other devices than VXLAN, `self` entries are address filters.
  return { op: `fdb.${change}`, ns, dev: dev === 'vx6' ? 'vx6' : 'vx0', mac, dst: end, flags: 'self' };
}

function behind({ change, dev, mac }: { change: Change; dev: string; mac: string }): Op {
  const unicast = mac.startsWith('00:00') ? '0a:58:0a:09:00:09' : mac;
  // The kernel also lets the entries of the ports themselves be deleted; FakeHost has none.
  const safe = mac === FIRST || mac === SECOND ? 'add' : change;
  return { op: `fdb.${safe}`, ns, dev, mac: unicast, flags: 'master' };
}

function neighbour(one: { change: Change; dev: string; mac: string; address: string }): Op {
  return { op: `neigh.${one.change}`, ns, dev: one.dev, address: one.address, mac: one.mac };
}

/** What comes of each op, and the state after the last. */
function outcome(host: Host, namespaces: Namespaces, ops: readonly Op[]): unknown {
  host.apply(START, namespaces);
  const errors = ops.map((each) => {
    try {
      host.apply([each], namespaces);
      return 'done';
    } catch (error) {
      assert.ok(error instanceof NetError, String(error));
      return `${JSON.stringify(each)}: ${error.kind} ${error.errno}`;
    }
  });
  const { neighbours, forwarding, links } = host.observe(namespaces.host, {
    neighbours: DEVICES,
    forwarding: DEVICES,
    links: DEVICES,
  });
  const sorted = (entries: readonly object[]): string[] =>
    entries.map((entry) => JSON.stringify(Object.entries(entry).sort())).sort();
  const { vx0, vx6, dum0 } = Object.fromEntries(links);
  return {
    errors,
    neighbours: sorted(neighbours),
    forwarding: sorted(forwarding),
    links: [vx0, vx6, dum0].map((link) => [link?.vxlan, link?.port, link?.master, link?.up]),
  };
}

describe('neighbours and forwarding entries of FakeHost', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  it('follow those of the kernel, whatever the steps', function () {
    this.timeout(300_000);
    using host = openLinuxHost();
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 40 }), (ops) =>
        withNetns(1, ({ path }) => {
          using real = host.open(path);
          const fake = new FakeHost();
          assert.deepEqual(outcome(fake, { host: fake.own }, ops), outcome(host, { host: real }, ops));
        }),
      ),
      { numRuns: Number(process.env.RUNS ?? 60) },
    );
  });
});
