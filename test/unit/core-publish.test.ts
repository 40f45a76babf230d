import { strict as assert } from 'node:assert';
import type { PortMapping } from '../../src/shared/config/port-mappings.ts';
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { type PortRequest, publishPorts, unpublishPorts } from '../../src/shared/core/ports/publish-ports.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import { resetEntries } from '../../src/shared/core/reset-entries.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import type { Holder, PortQuery } from '../../src/shared/host/host.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { FakeHost, type FakeOptions } from '../../src/shared/testing/fake-host.ts';
import { addrOf } from '../support/addresses.ts';
import { makeCore, refusedWith, type TestCore } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { addressesOf, BRIDGE, dockerRules, endpointOf, holdNetwork, NETWORK, offerRequest } from '../support/offers.ts';

const SYSCTLS = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
  'net/ipv4/ip_local_port_range': '40000\t40099',
  'net/ipv4/ip_local_reserved_ports': '',
};
const NGINX: PortQuery & Holder = {
  ...{ protocol: 'tcp', port: 8081 },
  ...{ process: 'nginx (pid 812)', program: 'nginx', words: ['nginx'], isOwnUser: true },
};

/** `-p hostPort:containerPort`. */
function port(hostPort: number, containerPort: number, more: Partial<PortRequest> = {}): PortRequest {
  return { protocol: 'tcp', hostPort, hostPortEnd: hostPort, containerPort, ...more };
}

describe('core: published ports of an endpoint', () => {
  let host: FakeHost;
  let core: TestCore;
  let filter: FakeFirewaller;

  const publish = (n: number, requests: readonly PortRequest[], rules: Rules = dockerRules()) =>
    publishPorts(core, endpointOf(n), rules, addressesOf(n, [4]), requests);
  const hostPorts = (mappings: readonly PortMapping[]): number[] => mappings.map(({ hostPort }) => hostPort);
  const claims = (n: number): string[] =>
    core.store.ports
      .list(endpointOf(n))
      .map(({ protocol, hostIp = '', hostPort }) => `${protocol} ${hostIp} ${hostPort}`);
  const rowOf = (n: number) => core.store.endpoints.get(endpointOf(n), 'portmap');
  /** Everything that a call could change. */
  const everything = () => ({
    entries: filter.list(),
    rows: core.store.endpoints.list(),
    claims: core.store.ports.list(),
    host: host.toString(),
  });
  const start = async (given: FakeOptions = {}): Promise<void> => {
    host = new FakeHost({ own: { sysctls: SYSCTLS }, listeners: [NGINX], ...given });
    filter = new FakeFirewaller();
    core = { ...makeCore(host), firewall: (backend: FirewallBackend) => filter.of(backend) };
    for (const n of [2, 3]) await offerEndpoint(core, offerRequest(n, { families: [4], rules: dockerRules() }));
    holdNetwork(core);
    filter.changes.splice(0);
  };

  beforeEach(() => start());

  it('stay deleted where their deletion was under way when a reset began', async () => {
    await publish(2, [port(8080, 80)]);
    const row = rowOf(2) ?? assert.fail('no row');
    core.store.endpoints.put({ ...row, progress: 'intent' });
    const { reset } = filter;
    filter.reset = async (read) => {
      const { entries, underWay = [] } = read();
      assert.deepEqual(await unpublishPorts(core, endpointOf(2)), []);
      await reset.call(filter, () => ({ entries: [...entries, ...underWay] }));
    };
    assert.deepEqual(
      (await resetEntries(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }), wait: async () => {} })).errors,
      [],
    );
    assert.deepEqual(filter.ports(), []);
  });

  it('lead to it, are claimed and on record, and the network has the rules for them', async () => {
    const mappings = await publish(2, [port(8080, 80), port(53, 53, { protocol: 'udp', hostIp: addrOf('127.0.0.1') })]);
    assert.deepEqual(mappings, [
      { protocol: 'udp', hostPort: 53, containerPort: 53, hostIp: '127.0.0.1', family: 4 },
      { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
    ]);
    const ports = ['tcp *4 8080 -> 10.88.0.2:80', 'udp 127.0.0.1 53 -> 10.88.0.2:53'];
    assert.deepEqual(filter.ports(), ports);
    assert.deepEqual(claims(2), ['tcp  8080', 'udp 127.0.0.1 53']);
    assert.equal(rowOf(2)?.progress, 'ready');
    const [hairpin] = filter.list('hairpin');
    assert.deepEqual(hairpin, { kind: 'hairpin', device: BRIDGE, subnet: '10.88.0.0/24' });
    const view = host.observe(host.own, {
      links: [hostIfName(endpointOf(2)), hostIfName(endpointOf(3))],
      sysctls: [`net/ipv4/conf/${BRIDGE}/route_localnet`],
    });
    assert.deepEqual([...view.links.values()].map(({ port: { hairpin: on } = {} }) => on).sort(), [false, true]);
    assert.equal(core.taken.size, 0);
  });

  it('lead to it in both families by one host port', async () => {
    const [mapping] = await publishPorts(core, endpointOf(2), dockerRules(), addressesOf(2), [port(0, 80)]);
    assert.ok(mapping && mapping.hostPort >= 40_000 && mapping.hostPort <= 40_099);
    const { hostPort } = mapping;
    assert.deepEqual(filter.ports(), [`tcp *4 ${hostPort} -> 10.88.0.2:80`, `tcp *6 ${hostPort} -> fd00:88::2:80`]);
    assert.deepEqual(claims(2), [`tcp  ${hostPort}`]);
  });

  it('a span is one claim and one entry, and a listener in the middle of it is named', async () => {
    const span = (first: number) => [port(first, first, { count: 11 })];
    await publish(2, span(9000));
    assert.deepEqual(
      core.store.ports.list(endpointOf(2)).map(({ hostPort, count }) => [hostPort, count]),
      [[9000, 11]],
    );
    assert.deepEqual(
      filter.list('port').map((entry) => 'count' in entry && entry.count),
      [11],
    );
    const before = everything();
    await publish(2, span(9000));
    assert.deepEqual(everything(), before);
    const taken = refusedWith('conflict', /host port 9010\/tcp: port is already allocated: Docker endpoint/);
    await assert.rejects(publish(3, span(9010)), taken);
    await assert.rejects(publish(3, span(8075)), refusedWith('conflict', /host port 8081\/tcp: nginx \(pid 812\)/));
    assert.deepEqual(everything(), before);
  });

  it('are unchanged when they are requested again', async () => {
    const requests = [port(8080, 80), port(0, 81), port(9000, 82, { hostPortEnd: 9009 })];
    const first = await publish(2, requests);
    const before = everything();
    filter.changes.splice(0);
    assert.deepEqual(await publish(2, requests.toReversed()), first);
    assert.deepEqual(everything(), before);
    assert.deepEqual(filter.changes, []);
  });

  it('are replaced: only differences are applied, and a chosen port stays', async () => {
    const [kept] = hostPorts(await publish(2, [port(0, 81)]));
    await publish(2, [port(0, 81), port(8080, 80), port(8082, 82)]);
    filter.changes.splice(0);
    assert.deepEqual(hostPorts(await publish(2, [port(8080, 80), port(0, 81), port(8083, 83)])), [8080, 8083, kept]);
    assert.deepEqual(filter.changes, ['remove 1', 'add 1']);
    assert.deepEqual(claims(2), ['tcp  8080', 'tcp  8083', `tcp  ${kept}`]);
    assert.deepEqual(filter.ports().length, 3);
    await publish(3, [port(8082, 82)]);
  });

  it('can change the container port', async () => {
    await publish(2, [port(8080, 80)]);
    await publish(2, [port(8080, 81)]);
    assert.deepEqual(filter.ports(), ['tcp *4 8080 -> 10.88.0.2:81']);
    assert.deepEqual(claims(2), ['tcp  8080']);
  });

  it('are unpublished by one call, which may be repeated, and become free for others', async () => {
    const before = everything();
    await publish(2, [port(8080, 80), port(0, 81)]);
    for (let round = 0; round < 2; round++) assert.deepEqual(await unpublishPorts(core, endpointOf(2)), []);
    assert.deepEqual(filter.ports(), []);
    assert.deepEqual(everything().claims, before.claims);
    assert.deepEqual(everything().rows, before.rows);
    await publish(3, [port(8080, 80)]);
    assert.deepEqual(await publish(3, []), []);
    assert.deepEqual([filter.ports(), claims(3), rowOf(3)], [[], [], undefined]);
  });

  it('are unpublished with their endpoint', async () => {
    await publish(2, [port(8080, 80)]);
    assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
    assert.deepEqual([filter.ports(), claims(2), rowOf(2)], [[], [], undefined]);
    assert.equal(core.store.endpoints.list(NETWORK).length, 1);
  });

  it('are rejected if another endpoint has one; the existing ones stay', async () => {
    await publish(2, [port(8080, 80)]);
    await publish(3, [port(8090, 90)]);
    const before = everything();
    const taken = refusedWith(
      'conflict',
      /host port 8080\/tcp: port is already allocated: Docker endpoint \w{12} of Docker network \w{12} has it on every address/,
    );
    await assert.rejects(publish(3, [port(8091, 91), port(8080, 80)]), taken);
    await assert.rejects(
      publish(3, [port(8080, 80, { hostIp: addrOf('127.0.0.1') })]),
      refusedWith('conflict', /8080\/tcp/),
    );
    assert.deepEqual(everything(), before);
    assert.equal(core.taken.size, 0);
  });

  it('are looked at once, before the transaction; only an error scans for names, after it', async () => {
    let depth = 0;
    const { transaction } = core.store;
    core.store.transaction = (work, options) => {
      depth++;
      try {
        return transaction.call(core.store, work, options) as ReturnType<typeof work>;
      } finally {
        depth--;
      }
    };
    const looks: string[] = [];
    const observe = host.observe.bind(host);
    host.observe = (ns, query) => {
      const what = [query.listeners && 'listeners', query.holders && 'holders'].filter(Boolean).join();
      assert.ok(what === '' || depth === 0, `looks for ${what} in a transaction`);
      if (what !== '') looks.push(what);
      return observe(ns, query);
    };
    const many = Array.from({ length: 30 }, (_, i) => port(9000 + i, 9000 + i));
    await publish(2, [...many, port(8080, 80, { hostPortEnd: 8089 }), port(0, 81)]);
    assert.deepEqual(looks.splice(0), ['listeners']);
    await assert.rejects(publish(3, [port(8081, 80, { hostPortEnd: 8081 })]), /nginx \(pid 812\) listens on it/);
    assert.deepEqual(looks.splice(0), ['listeners', 'holders']);
    await assert.rejects(publish(3, [port(8080, 80, { hostPortEnd: 8081 })]), /8081: nginx \(pid 812\) listens on it/);
    assert.deepEqual(looks, ['listeners', 'holders']);
    assert.deepEqual(claims(3), []);
  });

  it('are published if a process takes one after the look: it may as well do so later', async () => {
    const listeners: (PortQuery & Holder)[] = [];
    await start({ listeners });
    host.observe = (ns, query) => {
      const view = FakeHost.prototype.observe.call(host, ns as FakeHost['own'], query);
      if (query.listeners !== undefined) listeners.push({ ...NGINX, port: 8080 });
      return view;
    };
    assert.deepEqual(hostPorts(await publish(2, [port(8080, 80)])), [8080]);
    assert.deepEqual(await unpublishPorts(core, endpointOf(2)), []);
    assert.deepEqual(claims(2), []);
  });

  it('are rejected if a process listens on one; a range skips it', async () => {
    const listening = refusedWith('conflict', /host port 8081\/tcp: nginx \(pid 812\) listens on it/);
    await assert.rejects(publish(2, [port(8081, 80)]), listening);
    assert.deepEqual(hostPorts(await publish(2, [port(8081, 80, { hostPortEnd: 8089 })])), [8082]);
    const range = port(8081, 81, { hostPortEnd: 8082 });
    const holders =
      /8081-8082\/tcp.*8081: nginx \(pid 812\) listens on it; 8082: port is already allocated: Docker endpoint \w{12} of Docker network/;
    await assert.rejects(publish(3, [range]), refusedWith('conflict', holders));
  });

  it("skip the host's reserved ports", async () => {
    const sysctls = { ...SYSCTLS, 'net/ipv4/ip_local_reserved_ports': '40000-40050,40052-40099' };
    await start({ own: { sysctls } });
    assert.deepEqual(hostPorts(await publish(2, [port(0, 80)])), [40_051]);
  });

  it('are rejected on an address that the host lacks, and for a family that the endpoint lacks', async () => {
    const before = everything();
    const foreign = refusedWith('invalid-config', /192.0.2.9.*not an address of this host/);
    await assert.rejects(publish(2, [port(8080, 80, { hostIp: addrOf('192.0.2.9') })]), foreign);
    const loopback = /host address ::1, container port 80\/tcp.*the kernel does not lead connections to ::1/;
    await assert.rejects(
      publish(2, [port(8080, 80, { hostIp: addrOf('::1') })]),
      refusedWith('invalid-config', loopback),
    );
    assert.deepEqual(everything(), before);
    await publish(2, [port(8080, 80, { hostIp: addrOf('10.88.0.1') })]);
  });

  it('are rejected for an unknown endpoint, and without a packet filter', async () => {
    await assert.rejects(publish(9, [port(8080, 80)]), refusedWith('unknown-container', /no record of it/));
    await assert.rejects(publish(2, [port(8080, 80)], dockerRules('none')), refusedWith('invalid-config', /backend/));
    assert.deepEqual(await unpublishPorts(core, endpointOf(9)), []);
    assert.deepEqual(await publish(2, [], dockerRules('none')), []);
  });

  it('are not published on an internal network', async () => {
    assert.deepEqual(await publish(2, [port(8080, 80)], dockerRules('nftables', 'internal')), []);
    assert.deepEqual([filter.ports(), claims(2)], [[], []]);
  });

  it('of a routed family are open at the endpoint itself and take no host port', async () => {
    const both = addressesOf(2);
    const program = (routed: readonly (4 | 6)[], requests: readonly PortRequest[]) =>
      publishPorts(core, endpointOf(2), dockerRules('nftables', 'closed', routed), both, requests);
    assert.deepEqual(await program([4, 6], [port(8081, 80), port(0, 80)]), [
      { protocol: 'tcp', hostPort: 0, containerPort: 80 },
      { protocol: 'tcp', hostPort: 0, containerPort: 80 },
    ]);
    assert.deepEqual(filter.ports(), ['tcp direct 10.88.0.2:80', 'tcp direct fd00:88::2:80']);
    assert.deepEqual(claims(2), []);
    assert.deepEqual(hostPorts(await program([6], [port(8080, 80)])), [8080]);
    assert.deepEqual(filter.ports(), ['tcp *4 8080 -> 10.88.0.2:80', 'tcp direct fd00:88::2:80']);
    assert.deepEqual(claims(2), ['tcp  8080']);
  });

  it('are unchanged if the packet filter fails, before or after the old ones were removed', async () => {
    await publish(2, [port(8080, 80), port(8082, 82)]);
    const before = everything();
    const cases = [
      ['the new one', 'add', 8083],
      ['the old one', 'remove', 8082],
    ] as const;
    for (const [which, how, hostPort] of cases) {
      filter.refuse = (entry, by) => by === how && entry.kind === 'port' && entry.hostPort === hostPort;
      const refused = refusedWith('kernel', /chosen to fail/);
      await assert.rejects(publish(2, [port(8080, 80), port(8083, 83)]), refused, which);
      filter.refuse = () => false;
      assert.deepEqual(everything(), before, which);
    }
    assert.deepEqual(await publish(2, [port(8083, 83)]).then(hostPorts), [8083]);
  });

  it('are not published if the first publish fails', async () => {
    const before = everything();
    filter.refuse = ({ kind }, by) => by === 'add' && kind === 'port';
    await assert.rejects(publish(2, [port(8080, 80)]), refusedWith('kernel', /chosen to fail/));
    assert.deepEqual([filter.ports(), claims(2), everything().rows], [[], [], before.rows]);
  });

  it('stay on record until their revert succeeds', async () => {
    await publish(2, [port(8080, 80)]);
    filter.refuse = (entry) => entry.kind === 'port' && entry.hostPort === 8080;
    await assert.rejects(publish(2, [port(8083, 83)]), refusedWith('kernel', /chosen to fail/));
    filter.refuse = () => false;
    assert.equal(rowOf(2)?.progress, 'intent');
    assert.deepEqual(claims(2), ['tcp  8080', 'tcp  8083']);
    assert.deepEqual(await unpublishPorts(core, endpointOf(2)), []);
    assert.deepEqual([filter.ports(), claims(2), rowOf(2)], [[], [], undefined]);
  });

  it('of a crashed call are reverted by a start, or by the next call', async () => {
    for (const next of ['start', 'call'] as const) {
      await publish(2, [port(8080, 80)]);
      const row = rowOf(2);
      assert.ok(row);
      core.store.endpoints.put({ ...row, progress: 'intent' });
      if (next === 'call') assert.deepEqual(await publish(2, [port(8085, 85)]).then(hostPorts), [8085]);
      else assert.deepEqual((await reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }) })).errors, []);
      assert.deepEqual(filter.ports(), next === 'call' ? ['tcp *4 8085 -> 10.88.0.2:85'] : []);
      assert.deepEqual(claims(2), next === 'call' ? ['tcp  8085'] : []);
    }
  });

  it('are published and unpublished a hundred at once, in one transaction each', async () => {
    const requests = Array.from({ length: 100 }, (_, i) => port(i % 2 === 0 ? 0 : 20_000 + i, 1000 + i));
    await publish(3, [port(8080, 80)]);
    filter.changes.splice(0);
    const mappings = await publish(2, requests);
    assert.equal(new Set(hostPorts(mappings)).size, 100);
    assert.deepEqual(filter.changes, ['add 100']);
    assert.deepEqual(await unpublishPorts(core, endpointOf(2)), []);
    assert.deepEqual(filter.changes, ['add 100', 'remove 100']);
    assert.deepEqual(filter.ports(), ['tcp *4 8080 -> 10.88.0.3:80']);
  });
});
