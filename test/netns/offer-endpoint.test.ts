import { strict as assert } from 'node:assert';
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { type PortRequest, publishPorts, unpublishPorts } from '../../src/shared/core/ports/publish-ports.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import { addrOf } from '../support/addresses.ts';
import { refusedWith } from '../support/core.ts';
import { netnsMissing } from '../support/netns.ts';
import { enter, leave, makeOfferLab, type OfferLab, UPLINK } from '../support/offer-lab.ts';
import { addressesOf, BRIDGE, dockerRules, endpointOf, holdNetwork, offerRequest } from '../support/offers.ts';
import { ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Agent, assertTraffic, startAgent } from '../support/traffic.ts';

const RULES = dockerRules();

function port(hostPort: number, containerPort: number, more: Partial<PortRequest> = {}): PortRequest {
  return { protocol: 'tcp', hostPort, hostPortEnd: hostPort, containerPort, ...more };
}

describe('an endpoint that moves into a container, as with dockerd', function () {
  this.timeout(120_000);
  let lab: OfferLab;
  let clean: string;
  let agents: Agent[] = [];

  const offer = (n: number) => offerEndpoint(lab.core, offerRequest(n, { rules: RULES }));
  const join = async (n: number): Promise<void> => {
    const { mac } = await offer(n);
    enter(lab.host, lab.container(n), endpointOf(n), n, mac);
  };
  const publish = (n: number, requests: readonly PortRequest[]) =>
    publishPorts(lab.core, endpointOf(n), RULES, addressesOf(n), requests);
  const agent = (name: string, ns: { readonly path: string }): Agent => {
    const started = startAgent(name, ns);
    agents.push(started);
    return started;
  };

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(async () => {
    lab = makeOfferLab(2);
    // The state and what forwarding leaves are there before the first snapshot.
    await offer(2);
    assert.deepEqual(await deleteOffered(lab.core, endpointOf(2)), []);
    clean = lab.snapshot();
  });
  afterEach(() => {
    for (const one of agents) one[Symbol.dispose]();
    agents = [];
    lab?.[Symbol.dispose]();
  });

  it('reaches its gateway, its neighbours and the outside, in both families', async () => {
    await join(2);
    await join(3);
    const [first, second] = lab.containers;
    assert.ok(first && second);
    for (const address of ['10.88.0.1', 'fd00:88::1', '10.88.0.3', 'fd00:88::3', UPLINK[4][1], UPLINK[6][1]]) {
      ping(first, address);
    }
    ping(second, '10.88.0.2');
    ping(lab.host, 'fd00:88::3');
    const link = first.ip('-6', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'link');
    assert.match(link, /fe80::858:aff:fe58:2\/64/);
    assert.equal(lab.host.ip('-6', '-o', 'addr', 'show', 'dev', hostIfName(endpointOf(2))), '');
  });

  it('can be deleted inside the container, or on the host after it came back; nothing is left', async () => {
    await join(2);
    await join(3);
    await publish(2, [port(8080, 80)]);
    leave(lab.host, lab.container(2), endpointOf(2));
    assert.deepEqual(await deleteOffered(lab.core, endpointOf(2)), []);
    ping(lab.container(3), '10.88.0.1');
    assert.deepEqual(await deleteOffered(lab.core, endpointOf(3)), []);
    assertSame(lab.snapshot(), clean);
  });

  it('publishes ports, then other ports, then none', async () => {
    await join(2);
    await join(3);
    holdNetwork(lab.core);
    const container = agent('container', lab.container(2));
    const neighbour = agent('neighbour', lab.container(3));
    const outside = agent('outside', lab.outside);
    const host = agent('host', lab.host);
    for (const one of [80, 81]) await container.serve('tcp', one);
    await container.serve('udp', 53, '10.88.0.2');
    const udp = { protocol: 'udp', address: UPLINK[4][0], port: 5353 } as const;
    const at = (address: string, one: number) => ({ address, port: one });
    const [own4] = UPLINK[4];
    const [own6] = UPLINK[6];

    const closed = [
      [outside, at(own4, 8080), 'blocked'],
      [outside, at('10.88.0.2', 80), 'blocked'],
    ] as const;
    await assertTraffic(closed);
    const mappings = await publish(2, [port(8080, 80), port(5353, 53, { protocol: 'udp' }), port(0, 81)]);
    const chosen = mappings.find(({ containerPort }) => containerPort === 81)?.hostPort ?? 0;
    await assertTraffic([
      [outside, at(own4, 8080), 'container'],
      [outside, at(own6, 8080), 'container'],
      [outside, at(own4, chosen), 'container'],
      [outside, udp, 'container'],
      [neighbour, at(own4, 8080), 'container'],
      [container, at(own4, 8080), 'container'],
      [container, at(own6, 8080), 'container'],
      [host, at('127.0.0.1', 8080), 'container'],
      [host, at(own4, 8080), 'container'],
      [outside, at('10.88.0.2', 80), 'blocked'],
    ]);

    // Ports that are requested again stay, with their connections.
    const connection = await outside.open(own4, 8080);
    await publish(2, [port(8080, 80), port(8082, 81)]);
    assert.match(await connection.exchange(), /^container/);
    await assertTraffic([
      [outside, at(own4, 8082), 'container'],
      [outside, at(own4, chosen), 'blocked'],
      [outside, udp, 'blocked'],
    ]);

    assert.deepEqual(await unpublishPorts(lab.core, endpointOf(2)), []);
    await assertTraffic([...closed, [outside, at(own4, 8082), 'blocked'], [host, at('127.0.0.1', 8080), 'blocked']]);
  });

  for (const backend of ['nftables', 'iptables'] as const) {
    it(`is reachable at its own address by published ports on a routed network (${backend})`, async () => {
      const rules = dockerRules(backend, 'closed', [4, 6]);
      const { mac } = await offerEndpoint(lab.core, offerRequest(2, { rules }));
      enter(lab.host, lab.container(2), endpointOf(2), 2, mac);
      const container = agent('container', lab.container(2));
      const outside = agent('outside', lab.outside);
      for (const one of [80, 81]) await container.serve('tcp', one);
      const own = { address: '10.88.0.2', port: 80 };
      await assertTraffic([[outside, own, 'blocked']]);
      await publishPorts(lab.core, endpointOf(2), rules, addressesOf(2), [port(0, 80)]);
      await assertTraffic([
        [outside, own, 'container'],
        [outside, { address: 'fd00:88::2', port: 80 }, 'container'],
        [outside, { ...own, port: 81 }, 'blocked'],
      ]);
      assert.deepEqual(await deleteOffered(lab.core, endpointOf(2)), []);
      assertSame(lab.snapshot(), clean);
    });
  }

  it('publishes a hundred ports by iptables, and deletes all of them', async () => {
    const rules = dockerRules('iptables');
    const { mac } = await offerEndpoint(lab.core, offerRequest(2, { rules }));
    enter(lab.host, lab.container(2), endpointOf(2), 2, mac);
    const container = agent('container', lab.container(2));
    const outside = agent('outside', lab.outside);
    await container.serve('tcp', 1099);
    const requests = Array.from({ length: 100 }, (_, i) => port(0, 1000 + i));
    const mappings = await publishPorts(lab.core, endpointOf(2), rules, addressesOf(2), requests);
    const last = mappings.find(({ containerPort }) => containerPort === 1099);
    const target = { address: UPLINK[4][0], port: last?.hostPort ?? 0 };
    await assertTraffic([
      [outside, target, 'container'],
      [outside, { ...target, address: UPLINK[6][0] }, 'container'],
    ]);
    assert.deepEqual(await deleteOffered(lab.core, endpointOf(2)), []);
    assertSame(lab.snapshot(), clean);
  });

  it('cannot publish a port of a process or another endpoint; either can have it once it is free', async () => {
    await join(2);
    await join(3);
    const host = agent('host', lab.host);
    await host.serve('tcp', 8080);
    await assert.rejects(
      publish(2, [port(8080, 80)]),
      refusedWith('conflict', /8080\/tcp: .*\(pid \d+\) listens on it/),
    );
    const [mapping] = await publish(2, [port(8080, 80, { hostPortEnd: 8081 })]);
    assert.equal(mapping?.hostPort, 8081);
    await assert.rejects(
      publish(3, [port(8081, 80)]),
      refusedWith('conflict', /port is already allocated: Docker endpoint \w{12} of Docker network \w{12} has it/),
    );
    assert.deepEqual(await unpublishPorts(lab.core, endpointOf(2)), []);
    await publish(3, [port(8081, 80)]);
  });

  it('hands its UDP clients to the next container at once', async () => {
    await join(2);
    await join(3);
    const outside = agent('outside', lab.outside);
    for (const n of [2, 3]) await agent(`c${n}`, lab.container(n)).serve('udp', 53, `10.88.0.${n}`);
    const request = port(5353, 53, { protocol: 'udp', hostIp: addrOf('0.0.0.0') });
    await publish(2, [request]);
    const client = await outside.open(UPLINK[4][0], 5353, 'udp');
    assert.match(await client.exchange(), /^c2/);
    assert.deepEqual(await unpublishPorts(lab.core, endpointOf(2)), []);
    await publish(3, [request]);
    assert.match(await client.exchange(), /^c3/);
  });

  it('gets its bridge back after it was deleted', async () => {
    await offer(2);
    holdNetwork(lab.core);
    lab.host.ip('link', 'delete', BRIDGE);
    await join(3);
    ping(lab.container(3), '10.88.0.1');
  });
});
