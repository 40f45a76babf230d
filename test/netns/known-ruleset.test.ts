import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { KnownRuleset } from '../../src/shared/firewall/known-ruleset.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { NetlinkSocket } from '../../src/shared/netlink/socket.ts';
import { filterLock } from '../support/filter-lock.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const NETWORK: readonly FirewallEntry[] = [
  { kind: 'policy', device: 'br0', policy: 'open' },
  { kind: 'hairpin', device: 'br0', subnet: '10.88.0.0/24' },
  { kind: 'admit', device: 'br0' },
];
/** What an endpoint with a device of its own adds. */
function routed(n: number): FirewallEntry[] {
  return [
    { kind: 'policy', device: `veth${n}`, policy: 'open' },
    { kind: 'admit', device: `veth${n}` },
  ];
}

/** A bridge as Docker names them. */
const DOCKER_BRIDGE = 'br-0123456789ab';

const GATEWAYS: FirewallEntry = { kind: 'gateways', device: 'br0', addresses: ['10.88.0.1'] };

function guard(n: number): FirewallEntry {
  return { kind: 'guard', port: `veth${n}`, mac: `0a:58:0a:58:00:0${n}`, addresses: [`10.88.0.${n}`] };
}

function port(n: number): FirewallEntry {
  const leads = { address: `10.88.0.${n}`, port: 80, snat: true, masqAll: false, conditions: [] };
  return { kind: 'port', protocol: 'tcp', hostPort: 8000 + n, ...leads };
}

/** Both backends of one process. */
interface Process extends Disposable {
  readonly nftables: Firewaller;
  readonly bridge: Firewaller;
}

/** Changes of the ruleset by another program. */
const FOREIGN: readonly (readonly string[])[] = [
  ['flush', 'ruleset'],
  ['add', 'table', 'inet', 'other'],
  ['delete', 'element', 'bridge', 'isthmus', 'guarded', '{ "veth2" }'],
  ['delete', 'element', 'bridge', 'isthmus', 'networks', '{ "br0" }'],
  ['flush', 'set', 'inet', 'isthmus', 'port4'],
  ['flush', 'chain', 'bridge', 'isthmus', 'spoof'],
  ['flush', 'set', 'inet', 'isthmus', 'hairpin'],
  ['add', 'table', 'ip', 'filter'],
  ['add', 'chain', 'ip', 'filter', 'FORWARD', '{ type filter hook forward priority 0; policy drop; }'],
  ['flush', 'chain', 'ip', 'filter', 'FORWARD'],
  ['flush', 'chain', 'ip', 'filter', 'ISTHMUS-FORWARD'],
];

describe('what is known of the ruleset', function () {
  this.timeout(120_000);
  let host: LinuxHost;
  let netns: TestNetns;

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('k');
  });
  afterEach(() => netns?.[Symbol.dispose]());
  after(() => host?.[Symbol.dispose]());

  /** What is to be changed may not exist. */
  const nft = (...args: readonly string[]): void =>
    void spawnSync('nsenter', [`--net=${netns.path}`, 'nft', ...args], { stdio: 'ignore' });
  const start = (): Process => {
    const ns = host.open(netns.path);
    const options = { lock: filterLock, known: new KnownRuleset() };
    const [nftables, bridge] = [openFirewaller('nftables', ns, options), openFirewaller('bridge', ns, options)];
    return {
      nftables,
      bridge,
      [Symbol.dispose]: () => {
        nftables[Symbol.dispose]();
        bridge[Symbol.dispose]();
      },
    };
  };

  it('lets a second endpoint begin with one look at the generation, and one transaction for each table', async () => {
    using own = start();
    const add = async (n: number): Promise<void> => {
      assert.deepEqual(await own.nftables.missing(NETWORK), []);
      assert.deepEqual(await own.bridge.missing([GATEWAYS]), []);
      await own.bridge.add([guard(n)]);
      await own.nftables.add([port(n)]);
    };
    await own.nftables.add(NETWORK);
    await own.bridge.add([GATEWAYS]);
    await add(2);
    using counted = countExchanges();
    await add(3);
    const { dumps, batches, generations } = counted;
    assert.deepEqual({ dumps, batches }, { dumps: 0, batches: 2 });
    assert.ok(generations <= 5, `${generations} looks at the generation`);
  });

  it('lets an endpoint with a device of its own begin with one transaction, and no list but of bridges', async () => {
    using own = start();
    await own.nftables.add(routed(2));
    await own.nftables.add(routed(3));
    using counted = countExchanges();
    await own.nftables.add(routed(4));
    const { dumps, batches, generations } = counted;
    assert.deepEqual({ dumps, batches }, { dumps: 1, batches: 1 });
    assert.ok(generations <= 3, `${generations} looks at the generation`);
    using fresh = start();
    assert.deepEqual(await fresh.nftables.missing([2, 3, 4].flatMap(routed)), []);
  });

  it('lets an endpoint end without a look at its ports, although others have come and gone since it began', async () => {
    using own = start();
    await own.nftables.add(NETWORK);
    await own.bridge.add([GATEWAYS]);
    await own.bridge.missing([GATEWAYS]);
    await own.nftables.missing(NETWORK);
    const ports = Array.from({ length: 100 }, (_, i) => ({ ...port(2), hostPort: 9000 + i }) as FirewallEntry);
    await own.nftables.add(ports);
    await own.bridge.add([guard(3)]);
    await own.nftables.add([port(3)]);
    await own.nftables.add([port(4)]);
    await own.nftables.remove([port(3)]);
    using counted = countExchanges();
    assert.deepEqual(await own.nftables.remove(ports), []);
    const { dumps, batches, elements } = counted;
    assert.deepEqual({ dumps, batches, elements }, { dumps: 0, batches: 1, elements: 0 });
    using fresh = start();
    assert.deepEqual(await fresh.nftables.missing(ports), ports);
    assert.deepEqual(await fresh.nftables.missing([...NETWORK, port(4)]), []);
  });

  it('removes no port that leads elsewhere by now', async () => {
    using own = start();
    using other = start();
    const elsewhere = { ...port(2), address: '10.88.0.9' } as FirewallEntry;
    for (const by of [own, other]) {
      await own.nftables.add(NETWORK);
      await own.nftables.missing(NETWORK);
      await own.nftables.add([port(2)]);
      assert.deepEqual(await by.nftables.remove([port(2)]), []);
      await by.nftables.add([elsewhere]);
      assert.deepEqual(await own.nftables.remove([port(2)]), []);
      using fresh = start();
      assert.deepEqual(await fresh.nftables.missing([elsewhere]), []);
      assert.deepEqual(await own.nftables.remove([elsewhere]), []);
    }
  });

  it('deletes the chain of a port with conditions', async () => {
    using own = start();
    const guarded = { ...port(2), conditions: ['ip saddr 192.0.2.0/24'] } as FirewallEntry;
    await own.nftables.add(NETWORK);
    await own.nftables.add([guarded]);
    assert.deepEqual(await own.nftables.missing([...NETWORK, guarded]), []);
    assert.deepEqual(await own.nftables.missing([guarded]), []);
    assert.deepEqual(await own.nftables.remove([guarded]), []);
    assert.doesNotMatch(netns.run('nft', 'list', 'table', 'inet', 'isthmus'), /chain port-/);
  });

  it('reads the rules of others anew after each change of them, by another process or its own', async () => {
    const admit = (device: string): FirewallEntry => ({ kind: 'admit', device });
    netns.run('nft', 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; }');
    using own = start();
    await own.nftables.add(NETWORK);
    assert.deepEqual(await own.nftables.missing(NETWORK), []);
    netns.run('nft', 'flush', 'chain', 'ip', 'filter', 'FORWARD');
    assert.deepEqual(await own.nftables.missing(NETWORK), [admit('br0')]);
    for (const device of ['br0', 'br1', 'br2']) {
      await own.nftables.add([admit(device)]);
      assert.deepEqual(await own.nftables.missing([admit(device)]), []);
    }
    assert.deepEqual(await own.nftables.remove([admit('br1')]), []);
    const all = ['br0', 'br1', 'br2'].map(admit);
    assert.deepEqual(await own.nftables.missing(all), [admit('br1')]);
    using fresh = start();
    assert.deepEqual(await fresh.nftables.missing(all), [admit('br1')]);
  });

  it('never hides what another process changed', async () => {
    const entries = [...NETWORK, port(2), port(3)];
    const guards = [GATEWAYS, guard(2), guard(3)];
    const bridgeEntry = fc.constantFrom(...guards);
    const entry = fc.constantFrom(...NETWORK, port(2), port(3));
    const step = fc.oneof(
      fc.record({ by: fc.constantFrom(0, 1), do: fc.constantFrom('add', 'remove', 'missing'), what: entry }),
      fc.record({ by: fc.constantFrom(0, 1), do: fc.constantFrom('add', 'remove', 'missing'), what: bridgeEntry }),
      fc.record({ nft: fc.constantFrom(...FOREIGN) }),
    );
    const sequence = fc.array(step, { minLength: 3, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sequence, async (steps) => {
        nft('flush', 'ruleset');
        using first = start();
        using second = start();
        for (const one of steps) {
          if ('nft' in one) nft(...one.nft);
          else await call([first, second][one.by] ?? first, one.do, one.what);
          using fresh = start();
          for (const known of [first, second]) {
            assert.deepEqual(await known.nftables.missing(entries), await fresh.nftables.missing(entries), 'inet');
            assert.deepEqual(await known.bridge.missing(guards), await fresh.bridge.missing(guards), 'bridge');
            assert.deepEqual(await known.bridge.missing([GATEWAYS]), await fresh.bridge.missing([GATEWAYS]), 'shared');
            assert.deepEqual(await known.nftables.missing(NETWORK), await fresh.nftables.missing(NETWORK), 'shared');
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('names the bridges of Docker at each addition, whatever has changed since the last one', async () => {
    const links = { appears: ['add', DOCKER_BRIDGE, 'type', 'bridge'], goes: ['delete', DOCKER_BRIDGE] } as const;
    const step = fc.oneof(
      fc.record({ by: fc.constantFrom(0, 1), add: fc.integer({ min: 2, max: 6 }) }),
      fc.record({ by: fc.constantFrom(0, 1), remove: fc.integer({ min: 2, max: 6 }) }),
      fc.record({ link: fc.constantFrom(...Object.values(links)) }),
      fc.record({
        nft: fc.constantFrom(
          ['flush', 'ruleset'],
          ['flush', 'set', 'inet', 'isthmus', 'docker'],
          ['flush', 'set', 'inet', 'isthmus', 'networks'],
          ['add', 'element', 'inet', 'isthmus', 'docker', '{ "stranger0" }'],
          ['add', 'table', 'inet', 'other'],
        ),
      }),
      fc.record({ by: fc.constantFrom(0, 1), reset: fc.constant(true) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        nft('flush', 'ruleset');
        netns.run('sh', '-c', `ip link del ${DOCKER_BRIDGE} 2>/dev/null; true`);
        using first = start();
        using second = start();
        for (const one of steps) {
          const { nftables } = 'by' in one ? ([first, second][one.by] ?? first) : first;
          if ('nft' in one) nft(...one.nft);
          else if ('link' in one) spawnSync('ip', ['-n', netns.name, 'link', ...one.link], { stdio: 'ignore' });
          else if ('remove' in one) await nftables.remove(routed(one.remove));
          else {
            if ('add' in one) await nftables.add(routed(one.add));
            else await nftables.reset(() => ({ entries: routed(2) }));
            const isThere = netns.run('ip', '-br', 'link').includes(DOCKER_BRIDGE);
            const named = netns.run('nft', 'list', 'set', 'inet', 'isthmus', 'docker');
            assert.deepEqual(named.match(/(?<=")[^"]+/)?.[0], isThere ? DOCKER_BRIDGE : undefined);
          }
        }
      }),
      {
        numRuns: 30,
        examples: [
          [
            [
              { link: links.appears },
              { by: 0, add: 2 },
              { by: 0, add: 3 },
              { link: links.goes },
              { by: 0, reset: true },
              { link: links.appears },
              { by: 0, add: 4 },
            ],
          ],
        ],
      },
    );
  });

  it('makes a table anew that another process deleted since the last look', async () => {
    using own = start();
    await own.bridge.add([GATEWAYS]);
    await own.bridge.add([guard(2)]);
    nft('flush', 'ruleset');
    assert.equal(await own.bridge.add([guard(3)]), true);
    assert.deepEqual(await own.bridge.missing([GATEWAYS, guard(2), guard(3)]), [GATEWAYS, guard(2)]);
  });

  it('takes an address from the port that had it, beside others', async () => {
    using own = start();
    await own.bridge.add([GATEWAYS, guard(2)]);
    await own.bridge.missing([GATEWAYS]);
    const moved = { ...guard(3), addresses: ['10.88.0.2'] } as FirewallEntry;
    await own.bridge.add([moved]);
    assert.match(netns.run('nft', 'list', 'set', 'bridge', 'isthmus', 'leased4'), /10\.88\.0\.2 comment "veth3"/);
  });
});

async function call(process: Process, what: 'add' | 'remove' | 'missing', entry: FirewallEntry): Promise<void> {
  const { nftables, bridge } = process;
  const firewaller = entry.kind === 'guard' || entry.kind === 'gateways' ? bridge : nftables;
  await firewaller[what]([entry]);
}

interface Counted extends Disposable {
  readonly dumps: number;
  readonly batches: number;
  readonly generations: number;
  /** Elements that were looked up by their keys. */
  readonly elements: number;
}

/** Counts the exchanges of this process with nfnetlink: linux/netfilter/nf_tables.h. */
function countExchanges(): Counted {
  const [getGeneration, getElement, batchBegin] = [0x0a10, 0x0a0d, 0x10];
  const counts = { dumps: 0, batches: 0, generations: 0, elements: 0 };
  const { exchange, dump } = NetlinkSocket.prototype;
  NetlinkSocket.prototype.exchange = function (requests, options) {
    if (requests[0]?.type === batchBegin) counts.batches++;
    if (requests[0]?.type === getGeneration) counts.generations++;
    counts.elements += requests.filter(({ type }) => type === getElement).length;
    return exchange.call(this, requests, options);
  };
  NetlinkSocket.prototype.dump = function (request) {
    counts.dumps++;
    return dump.call(this, request);
  };
  return Object.assign(counts, {
    [Symbol.dispose]: () => {
      Object.assign(NetlinkSocket.prototype, { exchange, dump });
    },
  });
}
