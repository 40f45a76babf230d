import { strict as assert } from 'node:assert';
import type { NetworkSpec } from '../../src/shared/config/network-spec.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { HostIdentity } from '../../src/shared/host/host.ts';
import { type Addr, parseAddr } from '../../src/shared/model/addr.ts';
import { type Attachment, hostId, sandboxId } from '../../src/shared/model/attachment.ts';
import type { Endpoint, FirewallPart, RecalledEndpoint } from '../../src/shared/model/endpoint.ts';
import type { LoneLink } from '../../src/shared/model/interface-facts.ts';
import type { DockerNetworkRow, Lease, LocalStore, NetworkRow, PoolRow } from '../../src/shared/store/store.ts';
import { prefixOf, routeOf } from '../support/addresses.ts';

export const FIRST_BOOT: HostIdentity = { hostId: hostId('root'), bootId: 'boot-1', bootedAt: 1_000 };
export const SECOND_BOOT: HostIdentity = { ...FIRST_BOOT, bootId: 'boot-2', bootedAt: 2_000 };
export const OTHER_HOST: HostIdentity = { ...FIRST_BOOT, hostId: hostId('nested') };

/** A place that several stores share, as processes share a state directory. */
export interface Place extends Disposable {
  open(identity: HostIdentity): LocalStore;
}

export function addr(text: string): Addr {
  const parsed = parseAddr(text);
  assert.ok(parsed, text);
  return parsed;
}

export function attachment(containerId: string, network = 'web'): Attachment {
  return { camp: 'cni', network, containerId, ifName: 'eth0' };
}

export function lease(address: string, containerId = 'c1', scope = 'pool'): Lease {
  return { scope, address: addr(address), owner: attachment(containerId), source: 'store' };
}

export function endpoint(containerId: string, changes: Partial<RecalledEndpoint> = {}): RecalledEndpoint {
  return {
    kind: 'recalled',
    attachment: attachment(containerId),
    role: 'interface',
    progress: 'intent',
    sandbox: { path: '/run/netns/a', id: sandboxId('boot-1', 12) },
    hostIf: `veth${containerId}`,
    journal: [{ op: 'link.delete', ns: 'host', name: 'a' }],
    ...changes,
  };
}

/** An endpoint row of a chained part, without an interface. */
export function firewallPart(containerId: string): FirewallPart {
  const { sandbox } = endpoint(containerId);
  return { kind: 'firewall', role: 'firewall', attachment: attachment(containerId), sandbox, progress: 'ready' };
}

export function network(name: string, changes: Partial<NetworkRow> = {}): NetworkRow {
  return { name, driver: 'bridge', device: 'isth0', owned: [], bootId: 'boot-1', ...changes };
}

export function dockerNetwork(id: string, changes: Partial<DockerNetworkRow> = {}): DockerNetworkRow {
  const network = `docker-${id.slice(0, 12)}`;
  const modes = { mode4: 'nat', mode6: 'routed' } as const;
  return {
    id,
    network,
    driver: 'bridge',
    request: '{}',
    internal: false,
    ...modes,
    ifPrefix: 'eth',
    createdAt: 5,
    ...changes,
  };
}

export function pool(id: string, changes: Partial<PoolRow> = {}): PoolRow {
  return { id, scope: 'pool', subnet: '10.0.0.0/24', reserved: [], requestedAt: 7, ...changes };
}

/** Returns true for a NetError of that kind; otherwise fails with the error's text. */
export function ofKind(kind: string, text?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    if (text !== undefined) assert.match(error.message, text);
    return true;
  };
}

/** Tests the behaviour of every LocalStore. */
export function describeStore(name: string, make: () => Place): void {
  describe(name, () => {
    let place: Place;
    let store: LocalStore;
    beforeEach(() => {
      place = make();
      store = place.open(FIRST_BOOT);
    });
    afterEach(() => {
      store[Symbol.dispose]();
      place[Symbol.dispose]();
    });

    it("returns a network's spec with its addresses as values", () => {
      const spec: NetworkSpec = {
        options: { driver: 'null' },
        ranges: [
          [
            { subnet: prefixOf('10.88.0.0/16'), rangeStart: addr('10.88.0.9'), gateway: addr('10.88.0.254') },
            { subnet: prefixOf('10.89.0.0/16'), rangeEnd: addr('10.89.0.9') },
          ],
          [{ subnet: prefixOf('fd00:88::/64') }],
        ],
        scope: '/var/lib/cni/networks/web',
        routes: [routeOf('::/0'), { ...routeOf('10.0.0.0/8', '10.88.0.1'), mtu: 1400, scope: 0 }],
        rules: {
          backend: 'nftables',
          options: {
            ...{ unprotected: [6], trusted: ['eth0', 'vxlan.1'] },
            ...{ backend: 'auto', policy: 'open', ports: { snat: true, masqAll: false, conditions: { 4: [], 6: [] } } },
            masquerade: { families: [4], except: [prefixOf('10.0.0.0/8')], to: { 4: addr('192.0.2.7') } },
          },
          admit: true,
        },
      };
      store.networks.put(network('web', { spec }));
      assert.deepEqual(store.networks.get('web'), network('web', { spec }));
      assert.deepEqual(store.networks.list(), [network('web', { spec })]);
    });

    it('keeps networks across reboots, for their host alone', () => {
      store.networks.put(network('web'));
      store.networks.put(network('db', { device: 'isth1' }));
      store.networks.put(network('web', { driver: 'null' }));
      using later = place.open(SECOND_BOOT);
      assert.deepEqual(later.networks.list(), [network('db', { device: 'isth1' }), network('web', { driver: 'null' })]);
      using elsewhere = place.open(OTHER_HOST);
      assert.deepEqual(elsewhere.networks.list(), []);
      const namesOn = (device: string): string[] => later.networks.list(device).map(({ name }) => name);
      assert.deepEqual([namesOn('isth1'), namesOn('isth'), namesOn('isth11')], [['db'], [], []]);
      store.networks.delete('web');
      store.networks.delete('web');
      assert.equal(later.networks.get('web'), undefined);
    });

    it('keeps each role of an attachment as a row of its own, unchanged', () => {
      const first = endpoint('c1', { scope: '/var/lib/cni/networks/web', addresses: ['10.0.0.2/24'] });
      const second = firewallPart('c1');
      store.endpoints.put(first);
      store.endpoints.put(second);
      store.endpoints.put({ ...first, progress: 'ready' });
      assert.deepEqual(store.endpoints.get(first.attachment, 'interface'), { ...first, progress: 'ready' });
      assert.deepEqual(store.endpoints.get(first.attachment, 'firewall'), second);
      store.endpoints.delete(first.attachment, 'interface');
      store.endpoints.delete(first.attachment, 'interface');
      assert.deepEqual(store.endpoints.list(), [second]);
    });

    it('lists endpoints of one network or of all networks', () => {
      const rows = ['web', 'webb', 'a'].map((name) => endpoint(name, { attachment: attachment('c', name) }));
      for (const row of rows) store.endpoints.put(row);
      assert.deepEqual(
        store.endpoints.list('web').map((row) => row.attachment.network),
        ['web'],
      );
      assert.deepEqual(
        store.endpoints.list().map((row) => row.attachment.network),
        ['a', 'web', 'webb'],
      );
      assert.deepEqual(
        ['a', 'web', 'we'].map((name) => store.endpoints.any(name)),
        [true, true, false],
      );
    });

    it('counts parts by camp, role and progress', () => {
      assert.deepEqual(store.endpoints.count(), []);
      for (const id of ['c1', 'c2']) store.endpoints.put(endpoint(id));
      store.endpoints.put(endpoint('c3', { progress: 'ready' }));
      store.endpoints.put(endpoint('c4', { progress: 'ready', attachment: { ...attachment('c4'), camp: 'cnm' } }));
      store.endpoints.put(firewallPart('c1'));
      assert.deepEqual(store.endpoints.count(), [
        { camp: 'cni', role: 'firewall', progress: 'ready', count: 1 },
        { camp: 'cni', role: 'interface', progress: 'intent', count: 2 },
        { camp: 'cni', role: 'interface', progress: 'ready', count: 1 },
        { camp: 'cnm', role: 'interface', progress: 'ready', count: 1 },
      ]);
    });

    it('lists the parts of one container', () => {
      const rows = [
        attachment('c', 'web'),
        { ...attachment('c', 'web'), ifName: 'eth1' },
        attachment('cc', 'web'),
        attachment('c', 'webb'),
        { ...attachment('c', 'web'), camp: 'cnm' as const },
      ].map((one, i) => endpoint(`veth${i}`, { attachment: one }));
      for (const row of rows) store.endpoints.put(row);
      const found = store.endpoints.ofContainer({ camp: 'cni', containerId: 'c' });
      assert.deepEqual(found, [...rows.slice(0, 2), rows[3]]);
    });

    it('lists endpoints with a device of the host, and those of a MAC', () => {
      const lone = (id: string, link: LoneLink, mac: string): Endpoint => ({
        ...{ kind: 'lone', role: 'interface', progress: 'ready', attachment: attachment(id), aliases: [] },
        sandbox: { path: '/run/netns/pod', id: sandboxId('boot-1', '1') },
        inside: { addresses: [], routes: [], up: true, detectDuplicates: false },
        link: { ifName: 'eth0', link, mac, alias: '' },
      });
      const rows = [
        lone('a', { kind: 'userspace', device: '0000:00:01.0' }, '02:00:00:00:00:01'),
        lone('b', { kind: 'macvlan', dev: 'up0', devNs: 'host', mode: 'bridge' }, '02:00:00:00:00:02'),
        lone(
          'c',
          { kind: 'moved', dev: 'up1', before: { mac: '', mtu: 1500, up: true, addresses: [], routes: [] } },
          '02:00:00:00:00:02',
        ),
      ];
      for (const row of [...rows, endpoint('d')]) store.endpoints.put(row);
      const ids = (found: readonly Endpoint[]): string[] => found.map((row) => row.attachment.containerId).sort();
      assert.deepEqual(ids(store.endpoints.withDevice()), ['a', 'c']);
      assert.deepEqual(ids(store.endpoints.withMac('02:00:00:00:00:02')), ['b', 'c']);
      assert.deepEqual(ids(store.endpoints.withMac('02:00:00:00:00:03')), []);
    });

    it('separates attachments whose parts join to the same text', () => {
      const [a, b] = [
        { camp: 'cni', network: 'n', containerId: 'ab', ifName: 'c' } as const,
        { camp: 'cni', network: 'n', containerId: 'a', ifName: 'bc' } as const,
      ];
      store.endpoints.put(endpoint('x', { attachment: a, hostIf: 'vetha' }));
      store.endpoints.put(endpoint('x', { attachment: b, hostIf: 'vethb' }));
      assert.equal(store.endpoints.list().length, 2);
    });

    it('rejects a second endpoint with the same host interface, and allows any number without one', () => {
      store.endpoints.put(endpoint('c1', { hostIf: 'vethx' }));
      assert.throws(() => store.endpoints.put(endpoint('c2', { hostIf: 'vethx' })), ofKind('conflict', /vethx/));
      store.endpoints.put(endpoint('c1', { hostIf: 'vethx', progress: 'ready' }));
      for (const id of ['c3', 'c4']) store.endpoints.put(firewallPart(id));
      assert.equal(store.endpoints.list().length, 3);
    });

    it('hides endpoints and leases of an earlier boot and of other hosts', () => {
      store.endpoints.put(endpoint('c1'));
      store.leases.take(lease('10.0.0.2'));
      for (const identity of [SECOND_BOOT, OTHER_HOST]) {
        using other = place.open(identity);
        assert.deepEqual(other.endpoints.list(), []);
        assert.equal(other.endpoints.get(attachment('c1'), 'interface'), undefined);
        assert.deepEqual(other.leases.list('pool'), []);
        assert.equal(other.leases.runAt('pool', addr('10.0.0.2')), undefined);
        assert.equal(other.leases.count('pool', addr('10.0.0.0'), addr('10.0.0.9')), 0);
        other.leases.take(lease('10.0.0.2', 'c1'));
        other.endpoints.put(endpoint('c1'));
        assert.equal(other.endpoints.list().length, 1);
      }
    });

    it('leases an address once in a scope, and names its holder', () => {
      store.leases.take(lease('10.0.0.2', 'c1'));
      assert.throws(() => store.leases.take(lease('10.0.0.2', 'c2')), ofKind('conflict', /10\.0\.0\.2.*container c1/));
      store.leases.take(lease('10.0.0.2', 'c2', 'another pool'));
      store.leases.release('pool', addr('10.0.0.2'));
      store.leases.release('pool', addr('10.0.0.2'));
      store.leases.take(lease('10.0.0.2', 'c2'));
      assert.deepEqual(store.leases.list('pool'), [lease('10.0.0.2', 'c2')]);
    });

    it('lists the leases of a scope by address, or of one owner', () => {
      for (const [address, id] of [
        ['fd00::2', 'c1'],
        ['10.0.0.9', 'c2'],
        ['10.0.0.10', 'c1'],
      ] as const)
        store.leases.take(lease(address, id));
      store.leases.take({ ...lease('10.0.0.4', 'c3'), source: 'file' });
      assert.deepEqual(
        store.leases.list('pool').map(({ address }) => address),
        ['10.0.0.4', '10.0.0.9', '10.0.0.10', 'fd00::2'].map(addr),
      );
      assert.deepEqual(store.leases.list('pool', attachment('c1')), [lease('10.0.0.10'), lease('fd00::2')]);
      assert.deepEqual(store.leases.list('pool', attachment('c1', 'other')), []);
      assert.equal(store.leases.list('pool', attachment('c3'))[0]?.source, 'file');
    });

    it('finds the longest run around an address', () => {
      for (const last of [2, 3, 5, 4, 8]) store.leases.take(lease(`10.0.0.${last}`));
      const run = (text: string): unknown => store.leases.runAt('pool', addr(text));
      assert.deepEqual(run('10.0.0.3'), { first: addr('10.0.0.2'), last: addr('10.0.0.5') });
      assert.deepEqual(run('10.0.0.8'), { first: addr('10.0.0.8'), last: addr('10.0.0.8') });
      assert.equal(run('10.0.0.6'), undefined);
      store.leases.release('pool', addr('10.0.0.4'));
      assert.deepEqual(run('10.0.0.3'), { first: addr('10.0.0.2'), last: addr('10.0.0.3') });
      assert.deepEqual(run('10.0.0.5'), { first: addr('10.0.0.5'), last: addr('10.0.0.5') });
      assert.equal(run('10.0.0.4'), undefined);
    });

    it('ends runs where the address space ends', () => {
      for (const text of ['255.255.255.255', '::', '0.0.0.0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'])
        store.leases.take(lease(text));
      const top = addr('255.255.255.255');
      assert.deepEqual(store.leases.runAt('pool', top), { first: top, last: top });
      assert.deepEqual(store.leases.runAt('pool', addr('::')), { first: addr('::'), last: addr('::') });
      store.leases.release('pool', top);
      assert.equal(store.leases.runAt('pool', top), undefined);
    });

    it('counts leases between two addresses, wherever runs begin and end', () => {
      for (const last of [2, 3, 4, 7, 9]) store.leases.take(lease(`10.0.0.${last}`));
      const count = (a: number, b: number): number =>
        store.leases.count('pool', addr(`10.0.0.${a}`), addr(`10.0.0.${b}`));
      assert.deepEqual(
        [count(0, 255), count(3, 3), count(3, 7), count(4, 8), count(5, 6), count(9, 2), count(1, 2)],
        [5, 1, 3, 2, 0, 0, 1],
      );
    });

    it('reserves a host port once, on one address or on all, and names its holder', () => {
      const owner = endpoint('c1').attachment;
      const other = endpoint('c2').attachment;
      const claim = { protocol: 'tcp', hostIp: '10.0.0.1', family: 4, hostPort: 8080, owner } as const;
      const { hostIp, family, ...everywhere } = claim;
      store.ports.take(claim);
      store.ports.take(claim);
      assert.throws(() => store.ports.take({ ...claim, owner: other }), ofKind('conflict', /8080\/tcp.*container c1/));
      assert.throws(() => store.ports.take({ ...everywhere, owner: other }), ofKind('conflict', /10\.0\.0\.1/));
      store.ports.take({ ...claim, hostIp: '10.0.0.2', owner: other });
      store.ports.take({ ...claim, protocol: 'udp', owner: other });
      store.ports.take({ ...everywhere, hostPort: 80, owner: other });
      assert.throws(() => store.ports.take({ ...claim, hostPort: 80 }), ofKind('conflict', /every address/));
      assert.equal(store.ports.list().length, 4);
      store.ports.release(other);
      const second = { ...owner, network: 'second', ifName: 'eth1' };
      store.ports.take({ ...claim, owner: second });
      assert.deepEqual(store.ports.partners(owner), [second]);
      assert.deepEqual(store.ports.partners(second), [owner]);
      store.ports.release(second);
      assert.deepEqual(store.ports.list(), [claim]);
      assert.deepEqual(store.ports.list(other), []);
    });

    const one = { protocol: 'tcp', hostPort: 80 } as const;
    for (const [a, b, conflict] of [
      [{ family: 4 }, { family: 6 }, undefined],
      [{ family: 4 }, { hostIp: '::1' }, undefined],
      [{ family: 6 }, { hostIp: '127.0.0.1' }, undefined],
      [{ family: 4 }, { hostIp: '127.0.0.1' }, /every IPv4 address/],
      [{ family: 6 }, { hostIp: '::1' }, /every IPv6 address/],
      [{ family: 4 }, { family: 4 }, /every IPv4 address/],
      [{}, { family: 4 }, /every address/],
      [{}, { family: 6 }, /every address/],
      [{}, { hostIp: '::1' }, /every address/],
    ] as const)
      it(`ports: ${JSON.stringify(a)} and ${JSON.stringify(b)} ${conflict ? 'conflict' : 'are two ports'}`, () => {
        const [mine, yours] = [attachment('c1'), attachment('c2')];
        store.ports.take({ ...one, ...a, owner: mine });
        const second = (): void => store.ports.take({ ...one, ...b, owner: yours });
        if (conflict !== undefined) assert.throws(second, ofKind('conflict', conflict));
        else second();
        store.ports.release(mine);
        store.ports.release(yours);
        store.ports.take({ ...one, ...b, owner: yours });
        const first = (): void => store.ports.take({ ...one, ...a, owner: mine });
        if (conflict === undefined) first();
        else assert.throws(first, ofKind('conflict'));
      });

    for (const [a, b, conflict] of [
      [[8000, 11], [8005, 1], true],
      [[8000, 11], [8010, 1], true],
      [[8000, 11], [8011, 1], false],
      [[8000, 11], [7999, 1], false],
      [[8000, 11], [7000, 2000], true],
      [[8000, 11], [8010, 5], true],
      [[8000, 11], [8011, 5], false],
    ] as const)
      it(`ports: ${a} and ${b} (first and count) ${conflict ? 'conflict' : 'are different ports'}`, () => {
        const span = ([hostPort, count]: readonly [number, number], owner: Attachment) => {
          const claim = { protocol: 'tcp', hostPort, owner } as const;
          return count === 1 ? claim : { ...claim, count };
        };
        const [mine, yours] = [attachment('c1'), attachment('c2')];
        for (const [one, other] of [
          [a, b],
          [b, a],
        ] as const) {
          store.ports.take(span(one, mine));
          const second = (): void => store.ports.take(span(other, yours));
          if (!conflict) second();
          else assert.throws(second, ofKind('conflict'));
          assert.deepEqual(store.ports.list(mine), [span(one, mine)]);
          store.ports.release(mine);
          store.ports.release(yours);
        }
      });

    for (const [title, place] of [
      ['ports', (i: number) => ({ hostPort: 1000 + i })],
      ['addresses', (i: number) => ({ hostPort: 80, hostIp: `127.0.${i >> 8}.${i & 255}` })],
      ['spans', (i: number) => ({ hostPort: 1000 + 4 * i, count: 4 })],
      [
        'kinds',
        (i: number) =>
          [{ hostPort: i + 1 }, { hostPort: i + 1, family: 4 as const }, { hostPort: 80, hostIp: '::1' }][i % 3] ?? {
            hostPort: 9,
          },
      ],
    ] as const)
      it(`ports: claims hundreds of ${title} at once, all or none`, () => {
        const [mine, yours] = [attachment('c1'), attachment('c2')];
        const claims = Array.from({ length: 200 }, (_, i) => ({ protocol: 'tcp', ...place(i), owner: yours }) as const);
        const last = claims.at(-1) ?? assert.fail();
        store.ports.take({ ...last, owner: mine });
        const before = store.ports.list();
        assert.throws(
          () => store.ports.take(...claims),
          ofKind('conflict', new RegExp(`\\b${last.hostPort}/tcp.*container c1`)),
        );
        assert.deepEqual(store.ports.list(), before);
        store.ports.release(mine);
        store.ports.take(...claims);
        const all = store.ports.list();
        store.ports.release(yours);
        for (const claim of claims) store.ports.take(claim);
        assert.deepEqual(store.ports.list(), all);
        store.ports.take(...claims);
        assert.deepEqual(store.ports.list(), all);
        store.ports.take();
      });

    it('ports: a span and a port of one owner are one claim of both', () => {
      const [owner, other] = [attachment('c1'), attachment('c2')];
      for (const count of [1, 11, 1]) store.ports.take({ protocol: 'tcp', hostPort: 8000, count, owner });
      const late = { protocol: 'tcp', hostPort: 8010, owner: other } as const;
      assert.throws(() => store.ports.take(late), ofKind('conflict'));
      store.ports.release(owner);
      store.ports.take(late);
    });

    it('ports: fills in the family of an address, and lists by family', () => {
      const owner = attachment('c1');
      for (const place of [{ hostIp: '::1' }, { family: 6 }, { hostIp: '127.0.0.1' }, { family: 4 }] as const)
        store.ports.take({ ...one, ...place, owner });
      assert.deepEqual(store.ports.list(owner), [
        { ...one, family: 4, owner },
        { ...one, hostIp: '127.0.0.1', family: 4, owner },
        { ...one, family: 6, owner },
        { ...one, hostIp: '::1', family: 6, owner },
      ]);
    });

    it('keeps notes across reboots, for their host alone', () => {
      store.notes.put('cursor', '1');
      store.notes.put('cursor', '2');
      using later = place.open(SECOND_BOOT);
      assert.equal(later.notes.get('cursor'), '2');
      using elsewhere = place.open(OTHER_HOST);
      assert.equal(elsewhere.notes.get('cursor'), undefined);
    });

    it("keeps a cluster's keys across reboots, for their host alone", () => {
      using later = place.open(SECOND_BOOT);
      using elsewhere = place.open(OTHER_HOST);
      const row = { key: 'a/n1/0a000002', state: 'claimed', value: 'v', until: 5 } as const;
      store.clusterKeys.put(row);
      assert.deepEqual(later.clusterKeys.get(row.key), row);
      later.clusterKeys.put({ ...row, state: 'held', until: 0 });
      assert.deepEqual(store.clusterKeys.list('a/n1/'), [{ ...row, state: 'held', until: 0 }]);
      assert.deepEqual(elsewhere.clusterKeys.list(''), []);
      store.clusterKeys.delete(row.key);
      store.clusterKeys.delete(row.key);
      assert.equal(later.clusterKeys.get(row.key), undefined);
    });

    it("lists a cluster's keys by prefix, and those in the outbox", () => {
      const put = (key: string, state: 'claimed' | 'held' | 'released') =>
        store.clusterKeys.put({ key, state, value: key, until: 0 });
      put('a/n1/2', 'held');
      put('a/n1/1', 'released');
      put('a/n10/1', 'claimed');
      put('r/n1/1', 'held');
      assert.deepEqual(
        store.clusterKeys.list('a/n1/').map(({ key }) => key),
        ['a/n1/1', 'a/n1/2'],
      );
      assert.deepEqual(
        store.clusterKeys.outbox().map(({ key, state }) => `${key} ${state}`),
        ['a/n1/1 released', 'a/n10/1 claimed'],
      );
      assert.throws(() =>
        store.transaction(() => {
          store.clusterKeys.delete('a/n1/1');
          throw new Error('stop');
        }),
      );
      assert.equal(store.clusterKeys.outbox().length, 2);
    });

    it('deletes notes, and lists their keys by prefix', () => {
      for (const key of ['b 2', 'b 10', 'a%', 'a_', 'ab', 'B', 'a🚇']) store.notes.put(key, 'x');
      using elsewhere = place.open(OTHER_HOST);
      elsewhere.notes.put('b 3', 'x');
      assert.deepEqual(store.notes.keys('b '), ['b 10', 'b 2']);
      assert.deepEqual(store.notes.keys('a%'), ['a%']);
      assert.deepEqual(store.notes.keys('a🚇'), ['a🚇']);
      assert.equal(store.notes.keys('').length, 7);
      store.notes.delete('b 2');
      store.notes.delete('b 2');
      assert.deepEqual([store.notes.keys('b '), store.notes.get('b 2')], [['b 10'], undefined]);
      store.notes.delete('b 3');
      assert.deepEqual(elsewhere.notes.keys(''), ['b 3']);
    });

    it('checks whether a scope has a lease', () => {
      store.leases.take(lease('10.0.0.2'));
      assert.deepEqual(
        ['pool', 'poo', 'pool 2'].map((scope) => store.leases.any(scope)),
        [true, false, false],
      );
      store.leases.release('pool', addr('10.0.0.2'));
      assert.equal(store.leases.any('pool'), false);
    });

    it("keeps Docker's networks across reboots, for their host alone", () => {
      const [a, b] = [dockerNetwork('aa', { gateway4: '10.0.0.1', scope: 'pool' }), dockerNetwork('bb')];
      store.dockerNetworks.put(b);
      store.dockerNetworks.put(dockerNetwork('aa'));
      store.dockerNetworks.put(a);
      using later = place.open(SECOND_BOOT);
      assert.deepEqual(later.dockerNetworks.list(), [a, b]);
      assert.deepEqual(later.dockerNetworks.get('aa'), a);
      using elsewhere = place.open(OTHER_HOST);
      assert.deepEqual([elsewhere.dockerNetworks.list(), elsewhere.dockerNetworks.get('aa')], [[], undefined]);
      elsewhere.dockerNetworks.delete('aa');
      store.dockerNetworks.delete('bb');
      store.dockerNetworks.delete('bb');
      assert.deepEqual(later.dockerNetworks.list(), [a]);
    });

    it('keeps pools across reboots, for their host alone, and lists those of a scope', () => {
      const rows = [
        pool('p1', { reserved: ['10.0.0.1', '10.0.0.9'], gateway: '10.0.0.1', usedBy: 'aa', range: '10.0.0.0/25' }),
        pool('p2'),
        pool('p3', { scope: 'pool 2', network: 'web' }),
      ];
      for (const row of [...rows].reverse()) store.pools.put(row);
      using later = place.open(SECOND_BOOT);
      assert.deepEqual(later.pools.list(), rows);
      assert.deepEqual(later.pools.list('pool'), rows.slice(0, 2));
      assert.deepEqual(later.pools.list('po'), []);
      using elsewhere = place.open(OTHER_HOST);
      assert.deepEqual([elsewhere.pools.list('pool'), elsewhere.pools.get('p1')], [[], undefined]);
      store.pools.put(pool('p2', { scope: 'pool 2' }));
      assert.deepEqual(
        later.pools.list('pool 2').map(({ id }) => id),
        ['p2', 'p3'],
      );
      store.pools.delete('p1');
      store.pools.delete('p1');
      assert.deepEqual([later.pools.get('p1'), later.pools.list('pool')], [undefined, []]);
    });

    it('returns the lease of one address', () => {
      store.leases.take(lease('10.0.0.2', 'c1'));
      store.leases.take({ ...lease('10.0.0.3', 'c2'), source: 'file' });
      assert.deepEqual(store.leases.at('pool', addr('10.0.0.2')), lease('10.0.0.2', 'c1'));
      assert.deepEqual(store.leases.at('pool', addr('10.0.0.3'))?.source, 'file');
      assert.equal(store.leases.at('pool', addr('10.0.0.4')), undefined);
      assert.equal(store.leases.at('another pool', addr('10.0.0.2')), undefined);
      store.leases.release('pool', addr('10.0.0.2'));
      assert.equal(store.leases.at('pool', addr('10.0.0.2')), undefined);
    });

    it('reassigns a lease from its owner to another, and from nobody else', () => {
      const [one, two, other] = ['c1', 'c2', 'c3'].map((id) => attachment(id));
      assert.ok(one && two && other);
      for (const text of ['10.0.0.2', '10.0.0.3']) store.leases.take(lease(text, 'c1'));
      store.leases.reassign('pool', addr('10.0.0.2'), one, { owner: two });
      assert.deepEqual(store.leases.list('pool', two), [lease('10.0.0.2', 'c2')]);
      assert.deepEqual(store.leases.list('pool', one), [lease('10.0.0.3', 'c1')]);
      assert.equal(store.leases.count('pool', addr('10.0.0.0'), addr('10.0.0.9')), 2);
      const move =
        (text: string, from = one, scope = 'pool') =>
        () =>
          store.leases.reassign(scope, addr(text), from, { owner: other });
      assert.throws(move('10.0.0.2'), ofKind('conflict', /10\.0\.0\.2: address already in use: container c2/));
      assert.throws(move('10.0.0.2', { ...two, ifName: 'eth1' }), ofKind('conflict', /container c2/));
      assert.throws(move('10.0.0.4'), ofKind('conflict', /is no longer leased/));
      assert.throws(move('10.0.0.3', one, 'another pool'), ofKind('conflict', /is no longer leased/));
      assert.deepEqual(store.leases.list('pool', other), []);
    });

    it('keeps when an address was requested, until an endpoint has it', () => {
      const asked = { ...lease('10.0.0.2', 'c1'), requestedAt: 1_700_000_000_000 };
      store.leases.take(asked);
      assert.deepEqual(store.leases.at('pool', addr('10.0.0.2')), asked);
      assert.throws(
        () => store.leases.take(lease('10.0.0.2', 'c2')),
        ofKind('conflict', /dockerd's request for network/),
      );
      store.leases.reassign('pool', addr('10.0.0.2'), asked.owner, { owner: attachment('c2'), requestedAt: 5 });
      assert.deepEqual(store.leases.list('pool'), [{ ...lease('10.0.0.2', 'c2'), requestedAt: 5 }]);
      store.leases.reassign('pool', addr('10.0.0.2'), attachment('c2'), { owner: attachment('c3') });
      assert.deepEqual(store.leases.list('pool'), [lease('10.0.0.2', 'c3')]);
    });

    it('rolls back a whole transaction that fails, nested calls included', () => {
      store.leases.take(lease('10.0.0.1'));
      store.pools.put(pool('p1'));
      const failure = new Error('no');
      assert.throws(
        () =>
          store.transaction(() => {
            store.leases.take(lease('10.0.0.2'));
            store.transaction(() => store.networks.put(network('web')), { durable: true });
            store.leases.release('pool', addr('10.0.0.1'));
            store.notes.put('a', 'b');
            store.endpoints.put(endpoint('c1'));
            store.leases.reassign('pool', addr('10.0.0.2'), attachment('c1'), { owner: attachment('c2') });
            store.pools.put(pool('p1', { usedBy: 'aa' }));
            store.pools.put(pool('p2'));
            store.dockerNetworks.put(dockerNetwork('aa'));
            throw failure;
          }),
        failure,
      );
      assert.deepEqual(store.leases.list('pool'), [lease('10.0.0.1')]);
      assert.deepEqual(store.leases.runAt('pool', addr('10.0.0.1')), {
        first: addr('10.0.0.1'),
        last: addr('10.0.0.1'),
      });
      assert.deepEqual([store.networks.list(), store.endpoints.list(), store.notes.get('a')], [[], [], undefined]);
      assert.deepEqual([store.pools.list(), store.dockerNetworks.list()], [[pool('p1')], []]);
    });

    it('continues a transaction after a conflict that was caught', () => {
      store.leases.take(lease('10.0.0.2'));
      const answer = store.transaction(
        () => {
          assert.throws(() => store.leases.take(lease('10.0.0.2', 'c2')), ofKind('conflict'));
          store.leases.take(lease('10.0.0.3', 'c2'));
          return 'done';
        },
        { durable: true },
      );
      assert.equal(answer, 'done');
      assert.equal(store.leases.list('pool').length, 2);
    });
  });
}
