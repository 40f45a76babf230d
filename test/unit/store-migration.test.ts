import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { desired } from '../../src/shared/core/desired.ts';
import { firstDrift } from '../../src/shared/core/diff.ts';
import { checkChained, deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { deleteOffered } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { leaseKeeper } from '../../src/shared/core/pool-source.ts';
import { expireRequests } from '../../src/shared/core/pools/expiry.ts';
import { type Reconciled, reconcile } from '../../src/shared/core/reconcile.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { type Endpoint, scopeOf } from '../../src/shared/model/endpoint.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { FakeHost, type FakeOptions } from '../../src/shared/testing/fake-host.ts';
import { makeCore, type TestCore } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

/** What the release that wrote schema 3 did to a host, one step a call. */
interface Recorded {
  readonly seed: FakeOptions;
  readonly steps: readonly {
    readonly name: string;
    readonly ops: readonly { readonly sandbox?: string; readonly ops: readonly Op[] }[];
    readonly filter: readonly FirewallEntry[];
  }[];
}

const STATE = join(import.meta.dirname, '../fixtures/state');
const RECORDED: Recorded = JSON.parse(readFileSync(join(STATE, 'schema-3-host.json'), 'utf8'));
const SQL = readFileSync(join(STATE, 'schema-3.sql'), 'utf8');
/** The steps whose process died. */
const INTERRUPTED = ['intent with a plan', 'intent without a plan'];

interface Site {
  readonly host: FakeHost;
  readonly filter: FakeFirewaller;
}

/** The host after the first `count` steps. */
async function replay(count: number = RECORDED.steps.length): Promise<Site> {
  const host = new FakeHost(RECORDED.seed);
  const filter = new FakeFirewaller();
  for (const { ops, filter: entries } of RECORDED.steps.slice(0, count)) {
    for (const { sandbox, ops: some } of ops) {
      const opened = sandbox === undefined ? {} : { sandbox: sandbox === '' ? host.own : host.open(sandbox) };
      host.apply(some, { host: host.own, ...opened });
      for (const op of some as readonly { readonly op: string; readonly element?: string }[]) {
        // That release's step of a MAC guard.
        const [, port, mac] = /^"(.+)" \. (.+)$/.exec(op.op === 'nft.element.add' ? (op.element ?? '') : '') ?? [];
        if (port !== undefined && mac !== undefined) await filter.of('bridge').add([{ kind: 'guard', port, mac }]);
      }
    }
    if (entries.length > 0) await filter.add(entries);
  }
  return { host, filter };
}

/** Everything that the host has, in an order of its own. */
function everything({ host, filter }: Site): Readonly<Record<'host' | 'filter', readonly string[]>> {
  return {
    host: host.toString().split('\n').toSorted(),
    filter: filter
      .list()
      // The release that wrote the database had one kind of admission.
      .map((entry) => JSON.stringify(entry.kind === 'admit' ? { kind: entry.kind, device: entry.device } : entry))
      .toSorted(),
  };
}

/**
 * As `everything`, without what a network gets with an endpoint's ports and keeps while it has another endpoint, what
 * that release lacked, and a key of the seed that goes with its interface.
 */
function withoutShared(site: Site): object {
  const isShared = (line: string): boolean =>
    /"kind":"(hairpin|policy|gateways|isolated)"|route_localnet|eth0\/arp_filter|br-found\/accept_ra/.test(line);
  return Object.values(everything(site)).map((lines) => lines.filter((line) => !isShared(line)));
}

describe('migration from schema 3', () => {
  let temp: TempDir;
  let store: LocalStore;
  let site: Site;
  let core: TestCore;

  beforeEach(async () => {
    temp = makeTempDir();
    const db = new DatabaseSync(join(temp.path, 'state.db'));
    db.exec(`PRAGMA journal_mode = WAL;\n${SQL}`);
    db.close();
    site = await replay();
    store = openSqliteStore({ stateDir: temp.path, identity: site.host.identity, waitMs: 500 });
    core = { ...makeCore(site.host), store, firewall: (backend) => site.filter.of(backend) };
  });
  afterEach(() => {
    store[Symbol.dispose]();
    temp[Symbol.dispose]();
  });

  const reconciled = (): Promise<Reconciled> =>
    reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }), sweep: true });
  const find = (id: string, role = 'interface'): Endpoint => {
    const found = store.endpoints
      .list()
      .filter((one) => one.attachment.containerId.startsWith(id) && one.role === role)
      .toSorted((one, other) => one.attachment.ifName.localeCompare(other.attachment.ifName));
    return found[0] ?? assert.fail(`${id} has no ${role}`);
  };

  it('keeps every row', () => {
    const rows = (table: string): number => SQL.split(`INSERT INTO ${table} VALUES`).length - 1;
    assert.deepEqual(
      {
        endpoints: store.endpoints.list().length,
        networks: store.networks.list().length,
        dockerNetworks: store.dockerNetworks.list().length,
        pools: store.pools.list().length,
        ports: store.ports.list().length,
      },
      {
        endpoints: rows('endpoints'),
        networks: rows('networks'),
        dockerNetworks: rows('docker_networks'),
        pools: rows('pools'),
        ports: rows('ports'),
      },
    );
  });

  it('leaves a host on which a reconcile reverts the interrupted calls and opens what routed ports need', async () => {
    const { endpoints, networks, entries, mended, errors } = await reconciled();
    assert.deepEqual(
      { endpoints, networks, entries, mended, errors },
      {
        endpoints: 2,
        networks: 0,
        entries: 3,
        mended: ['sysctl -e -w net/ipv6/conf/br-found/accept_ra=0'],
        errors: [],
      },
    );
    const before = await replay(RECORDED.steps.length - INTERRUPTED.length);
    // What that release lacked: a bridge that was there ignores routers, a bridge with guards is known as one, and the
    // packet filter isolates a port from those without the kernel's flag.
    before.host.own.sysctls.set('net/ipv6/conf/br-found/accept_ra', '0');
    await before.filter.of('bridge').add([{ kind: 'gateways', device: 'isth1', addresses: [] }]);
    await before.filter.of('bridge').add([{ kind: 'isolated', port: 'veth57fdc19ac9e' }]);
    assert.deepEqual(everything(site), everything(before));
    const again = await reconciled();
    assert.deepEqual(again, { endpoints: 0, networks: 0, entries: 0, mended: [], errors: [] });
  });

  it('gives an address the gateway of its own subnet only', () => {
    const two = find('two');
    assert.deepEqual(two.kind === 'cni' && two.inside.addresses, [
      { address: '10.96.0.2/24' },
      { address: '10.97.0.2/24', gateway: '10.97.0.1' },
    ]);
  });

  it('describes what the kernel has of each part', async () => {
    await reconciled();
    for (const endpoint of store.endpoints.list()) {
      const { attachment, sandbox, role } = endpoint;
      const opened = sandbox.path === '' ? site.host.own : site.host.open(sandbox.path);
      const drift = await firstDrift(core, desired(endpoint).ops, { host: site.host.own, sandbox: opened });
      assert.equal(drift, undefined, `${attachment.containerId} ${role}`);
      if (role !== 'interface' && sandbox.path !== '') await checkChained(core, { attachment, role }, sandbox.path);
    }
  });

  it('lets DEL of each part leave the host as it was before its ADD', async () => {
    await reconciled();
    const remove = async ({ attachment, role, sandbox, ...endpoint }: Endpoint): Promise<void> => {
      const scope = scopeOf({ attachment, role, sandbox, ...endpoint } as Endpoint);
      if (attachment.camp === 'cnm') assert.deepEqual(await deleteOffered(core, attachment), []);
      else if (role !== 'interface')
        assert.deepEqual(await deleteChained(core, { attachment, role }, sandbox.path), []);
      else {
        const source = scope === undefined ? {} : { source: leaseKeeper(scope, attachment, site.host.identity) };
        const netns = sandbox.path === '' ? `/run/netns/${attachment.containerId}` : sandbox.path;
        const request = { attachment, role, netns, orphans: 'own', ...source } as const;
        assert.deepEqual(await deleteEndpoint(core, request), []);
      }
    };
    const parts: Readonly<Record<string, () => Promise<unknown>>> = {
      recalled: () => remove(find('recalled')),
      'docker record': () => remove(find('0a419926')),
      docker: () => remove(find('6de7aeef')),
      'docker network': async () => {
        const { name = '', holders: [holder] = [] } =
          store.networks.list().find(({ device }) => device.startsWith('br-3')) ?? {};
        assert.deepEqual(await deleteNetwork(core, name, holder ?? assert.fail()), []);
      },
      'chain portmap': () => remove(find('chain', 'portmap')),
      'chain firewall': () => remove(find('chain', 'firewall')),
      'chain tuning': () => remove(find('chain', 'tuning')),
      'chain bandwidth': () => remove(find('chain', 'bandwidth')),
      chain: () => remove(find('chain')),
      plain: () => remove(find('plain')),
      'two subnets': () => remove(find('two')),
      found: () => remove(find('found')),
      guarded: () => remove(find('guarded')),
      standby: () => remove(store.endpoints.list('second')[0] ?? assert.fail()),
      full: () => remove(find('full')),
    };
    const names = RECORDED.steps.map(({ name }) => name).filter((name) => !INTERRUPTED.includes(name));
    assert.deepEqual(Object.keys(parts), names.toReversed());
    for (const [at, name] of [...names.entries()].toReversed()) {
      await parts[name]?.();
      const before = await replay(at);
      assert.deepEqual(withoutShared(site), withoutShared(before), `after DEL of ${name}`);
      if (at === 0) assert.deepEqual(everything(site).filter, everything(before).filter);
    }
    assert.deepEqual(store.endpoints.list(), []);
    assert.deepEqual(store.ports.list(), []);
  });
});

describe('migration from schema 5', () => {
  it('turns holders, requested addresses and stand-ins for ids into values', async () => {
    using temp = makeTempDir();
    const db = new DatabaseSync(join(temp.path, 'state.db'));
    db.exec(`PRAGMA journal_mode = WAL;\n${readFileSync(join(STATE, 'schema-5.sql'), 'utf8')}`);
    db.close();
    const host = new FakeHost();
    using store = openSqliteStore({ stateDir: temp.path, identity: host.identity, waitMs: 500 });
    assert.deepEqual(store.networks.get('web')?.holders, [
      { kind: 'docker', id: '0123456789abcdef'.repeat(4) },
      { kind: 'operator' },
    ]);
    const rows = store.endpoints.list();
    assert.deepEqual(
      rows.map((row) => [row.attachment.containerId, row.kind === 'recalled' && row.isCut === true]),
      [
        ['#veth2d8e6176c4e', true],
        ['a', false],
      ],
    );
    const scope = '/var/lib/cni/networks/web';
    const asked = (): readonly (readonly [string, number | undefined])[] =>
      store.leases.list(scope).map(({ address, requestedAt }) => [formatAddr(address), requestedAt]);
    assert.deepEqual(asked(), [
      ['10.88.0.2', undefined],
      ['10.88.0.77', undefined],
      ['10.88.0.99', 1_700_000_000_123],
      ['fd00:88::2', undefined],
    ]);
    assert.equal(expireRequests({ ...makeCore(host), store }, 1_700_000_000_124), 2);
    assert.deepEqual(
      asked().map(([address]) => address),
      ['10.88.0.2', '10.88.0.77', 'fd00:88::2'],
    );
  });
});
