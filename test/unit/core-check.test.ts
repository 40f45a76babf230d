import { strict as assert } from 'node:assert';
import { checkEndpoint } from '../../src/shared/core/endpoints/check-endpoint.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import type { EndpointReport, EndpointRequest, Expectation } from '../../src/shared/core/requests.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { routeOf } from '../support/addresses.ts';
import {
  addRequest,
  attachmentOf,
  makeCore,
  makeFakeHost,
  OTHER,
  POD,
  refusedWith,
  scopeOf,
  type TestCore,
} from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';

const HOST_IF = hostIfName(attachmentOf());
const CONF = { hairpinMode: true, macspoofchk: true };

interface Scene {
  readonly host: FakeHost;
  readonly core: TestCore;
  readonly filter: FakeFirewaller;
  readonly request: EndpointRequest;
  readonly expected: Expectation;
  readonly run: (...ops: readonly Op[]) => void;
}

/** A freshly added endpoint and its prevResult. */
async function makeScene(): Promise<Scene> {
  const host = makeFakeHost();
  const filter = new FakeFirewaller();
  const core = { ...makeCore(host), firewall: (backend: FirewallBackend) => filter.of(backend) };
  const request = addRequest({ conf: CONF }, host.identity);
  const report = await createEndpoint(core, request);
  const namespaces = { host: host.own, sandbox: host.open(POD) };
  return { host, core, filter, request, expected: expectationOf(report), run: (...ops) => host.apply(ops, namespaces) };
}

function expectationOf({ interfaces, addresses, routes }: EndpointReport): Expectation {
  return { interfaces: interfaces.filter(({ inSandbox }) => inSandbox), addresses, routes };
}

const inPod = { ns: 'sandbox' } as const;
const onHost = { ns: 'host' } as const;

/** A change to the endpoint, and the message of CHECK. */
const DRIFTS: Readonly<Record<string, readonly [(scene: Scene) => unknown, RegExp]>> = {
  'the interface is gone': [
    ({ run }) => run({ ...onHost, op: 'link.delete', name: HOST_IF }),
    /link eth0: is gone from the container/,
  ],
  'the interface is down': [
    ({ run }) => run({ ...inPod, op: 'link.set', name: 'eth0', set: { up: false } }),
    /link eth0: is down|route .*: is gone/,
  ],
  'the host side is down': [
    ({ run }) => run({ ...onHost, op: 'link.set', name: HOST_IF, set: { up: false } }),
    new RegExp(`link ${HOST_IF}: is down`),
  ],
  'the interface has another MAC': [
    ({ run }) => run({ ...inPod, op: 'link.set', name: 'eth0', set: { mac: '0a:00:00:00:00:99' } }),
    /link eth0: has MAC 0a:00:00:00:00:99, expected 0a:58:0a:58:00:02/,
  ],
  'the interface has another MTU': [
    ({ run }) => run({ ...inPod, op: 'link.set', name: 'eth0', set: { mtu: 1280 } }),
    /link eth0: has MTU 1280, expected 1500/,
  ],
  'the host side is in no bridge': [
    ({ run }) => run({ ...onHost, op: 'link.set', name: HOST_IF, set: { master: null } }),
    new RegExp(`link ${HOST_IF}: is no port, not of isth0`),
  ],
  'the host side is in another bridge': [
    ({ run }) =>
      run(
        { ...onHost, op: 'link.create', name: 'br9', link: { kind: 'bridge' } },
        { ...onHost, op: 'link.set', name: HOST_IF, set: { master: 'br9' } },
      ),
    new RegExp(`link ${HOST_IF}: is a port of br9, not of isth0`),
  ],
  'hairpin is off': [
    ({ run }) => run({ ...onHost, op: 'port.set', name: HOST_IF, set: { hairpin: false } }),
    new RegExp(`port ${HOST_IF}: hairpin is false`),
  ],
  'an IPv4 address is gone': [
    ({ run }) => run({ ...inPod, op: 'addr.delete', dev: 'eth0', address: '10.88.0.2/24' }),
    /link eth0: lacks the address 10\.88\.0\.2\/24/,
  ],
  'an IPv6 address is gone': [
    ({ run }) => run({ ...inPod, op: 'addr.delete', dev: 'eth0', address: 'fd00:88::2/64' }),
    /link eth0: lacks the address fd00:88::2\/64/,
  ],
  'a route is gone': [
    ({ run }) => run({ ...inPod, op: 'route.delete', route: { dst: '0.0.0.0/0' } }),
    /route 0\.0\.0\.0\/0: is gone/,
  ],
  'a sysctl is another': [
    ({ run }) => run({ ...inPod, op: 'sysctl.set', key: 'net/ipv4/conf/eth0/arp_notify', value: '0' }),
    /sysctl net\/ipv4\/conf\/eth0\/arp_notify: is 0, expected 1/,
  ],
  'the MAC guard is gone': [
    ({ filter }) => filter.of('bridge').remove(filter.list('guard')),
    /bridge firewall: lacks guard port=veth/,
  ],
  "the gateway's guard is gone": [
    ({ filter }) => filter.of('bridge').remove(filter.list('gateways')),
    /network web: the bridge firewall lacks gateways device=\S+ addresses=\S+.*Run: /,
  ],
  'the bridge is gone': [
    ({ run }) => run({ ...onHost, op: 'link.delete', name: 'isth0' }),
    /network web: the host lacks what the network needs: ip link add name isth0 /,
  ],
  "the gateway's address is gone": [
    ({ run }) => run({ ...onHost, op: 'addr.delete', dev: 'isth0', address: '10.88.0.1/24' }),
    /network web: the host lacks what the network needs: ip addr add 10\.88\.0\.1\/24 /,
  ],
  'the host does not forward': [
    ({ run }) => run({ ...onHost, op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: '0' }),
    /network web: the host lacks what the network needs: sysctl -w net\/ipv4\/ip_forward=1/,
  ],
  'the lease is gone': [
    ({ core, expected }) => {
      for (const { address } of expected.addresses) core.store.leases.release(scopeOf(), address.addr);
    },
    /container a interface eth0: has no lease of 10\.88\.0\.2 in network web/,
  ],
  'the record is gone': [
    ({ core, request }) => core.store.endpoints.delete(request.attachment, 'interface'),
    /container a interface eth0: is not attached to network web/,
  ],
};

describe('core: CHECK', () => {
  it('finds nothing right after ADD', async () => {
    const { core, request, expected } = await makeScene();
    await checkEndpoint(core, request, expected);
  });

  for (const [title, [change, message]] of Object.entries(DRIFTS)) {
    it(`reports: ${title}`, async () => {
      const scene = await makeScene();
      change(scene);
      const { core, request, expected, host } = scene;
      const before = host.toString();
      await assert.rejects(checkEndpoint(core, request, expected), refusedWith('drift', message));
      assert.equal(host.toString(), before, 'nothing is mended');
    });
  }

  it('reports that the namespace is not that of ADD', async () => {
    const { core, request, expected } = await makeScene();
    const elsewhere = { ...request, netns: OTHER };
    await assert.rejects(
      checkEndpoint(core, elsewhere, expected),
      refusedWith('drift', /CNI_NETNS=.*another namespace/),
    );
  });

  it('reports a missing route of prevResult, whoever added it', async () => {
    const { core, request, expected } = await makeScene();
    const routes = [...expected.routes, routeOf('10.0.0.0/8', '10.88.0.9')];
    await assert.rejects(
      checkEndpoint(core, request, { ...expected, routes }),
      refusedWith('drift', /route 10\.0\.0\.0\/8: is gone \(via 10\.88\.0\.9\)/),
    );
  });

  it('accepts what later plugins added, and MAC and MTU of prevResult', async () => {
    const { core, request, expected, run } = await makeScene();
    run(
      { ...inPod, op: 'addr.add', dev: 'eth0', address: '10.99.0.2/24' },
      { ...inPod, op: 'route.add', route: { dst: '10.99.1.0/24', gateway: '10.99.0.1', dev: 'eth0' } },
      { ...inPod, op: 'link.set', name: 'eth0', set: { mac: '0a:00:00:00:00:99', mtu: 1280 } },
      { ...onHost, op: 'addr.add', dev: 'isth0', address: '169.254.1.1/32' },
    );
    const changed = { name: 'eth0', mac: '0A:00:00:00:00:99', mtu: 1280 };
    await checkEndpoint(core, request, { ...expected, interfaces: [changed] });
  });
});
