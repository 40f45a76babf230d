import { strict as assert } from 'node:assert';
import type { BridgeOptions } from '../../src/shared/config/bridge.ts';
import { parseNetconf } from '../../src/shared/config/netconf.ts';
import { observeNetwork } from '../../src/shared/core/view.ts';
import { bridgeDriver } from '../../src/shared/drivers/bridge/bridge.ts';
import type { Addressing, Driver, EndpointNames } from '../../src/shared/drivers/driver.ts';
import { insideQuery, planInside } from '../../src/shared/drivers/inside.ts';
import { planGuard, planLink } from '../../src/shared/drivers/link.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { given } from '../../src/shared/model/given.ts';
import type { RouteSpec } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import { parseRoute } from '../../src/shared/model/route.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { addrOf } from './addresses.ts';

/** One endpoint of one network, and the host it comes to. */
export interface Scenario {
  /** Keys of the configuration beside the name; `ipam` is added where there are addresses. */
  readonly conf?: Readonly<Record<string, unknown>>;
  /** Facts that no CNI configuration contains. */
  readonly options?: Partial<BridgeOptions>;
  /** `address gateway`, as IPAM gives them; the gateway may be missing. */
  readonly addresses?: readonly string[];
  readonly routes?: readonly RouteSpec[];
  /** The existing state of the host. */
  readonly own?: FakeSeed;
  readonly sandbox?: FakeSeed;
}

const SANDBOX = '/run/netns/pod';
const FACTS: EndpointNames = {
  hostIf: 'veth0123456789a',
  ifName: 'eth0',
  mac: '0a:58:0a:58:00:02',
  alias: 'isthmus cni net=web if=eth0 id=pod',
};
/**
 * Settings that a network turns on and never off, because others may rely on them by then. This includes a bridge that
 * existed before.
 */
const STAYS = [
  /^sysctl -w net\/ipv4\/ip_forward=/,
  /^sysctl -w net\/ipv6\/conf\/(all\/forwarding|\w+\/accept_ra|isth0\/disable_ipv6)=/,
  /^ip link set dev isth0 up$/,
  /^bridge vlan add dev isth0 vid \d+ self$/,
];

/**
 * The commands that create network and endpoint, and those that revert them. The steps run on a FakeHost, which refuses
 * what the kernel would. After the revert it is empty again.
 */
export function planText(scenario: Scenario, driver = driverOf(scenario)): string {
  const host = new FakeHost({ own: scenario.own ?? {}, namespaces: { [SANDBOX]: scenario.sandbox ?? {} } });
  const before = host.toString();
  const namespaces = { host: host.own, sandbox: host.open(SANDBOX) };
  const addressing = driver.complete(addressingOf(scenario));
  const view = observeNetwork(host, host.own, driver, addressing);
  const network = driver.planNetwork(view, addressing);
  const described = driver.describeLink(view, FACTS);
  const hasAddresses = addressing.addresses.length > 0;
  const side = hasAddresses ? driver.describeHost?.(addressing, described.hostMac) : undefined;
  const facts = { ...described, ...given({ host: side }) };
  const link = planLink(facts);
  const inside = driver.describeInside(addressing, true);
  const addresses = planInside(host.observe(namespaces.sandbox, insideQuery(inside)), facts, inside);
  for (const { ops } of [network, link, addresses]) host.apply(ops, namespaces);
  assertNothingLacks(host, driver, addressing);
  for (const { undo } of [addresses, link, network]) assert.deepEqual(host.revert(undo, namespaces), []);
  assert.equal(withoutWhatStays(host.toString()), withoutWhatStays(before));
  const own = addressing.addresses.map(({ address }) => formatAddr(address.addr));
  const guard = planGuard(facts, own);
  const shared = driver.networkGuards(addressing);
  const guards: Op[] =
    shared.length === 0 ? [] : [{ op: 'firewall.add', ns: 'host', backend: 'bridge', entries: shared }];
  return [
    section('network', network.ops),
    ...(guards.length > 0 ? [section('network: guards', guards)] : []),
    ...(guard.ops.length > 0 ? [section('endpoint: guard', guard.ops)] : []),
    section('endpoint: link', link.ops),
    section('endpoint: addresses', addresses.ops),
    section('endpoint, taken back', [...addresses.undo, ...link.undo, ...guard.undo]),
    section('network, taken back', network.undo),
  ].join('');
}

/** The driver of the scenario's configuration, as the plugin reads it. */
export function driverOf({ conf = {}, addresses = [], options: more }: Scenario): Driver {
  const ipam = addresses.length > 0 ? { ipam: { type: 'host-local' } } : {};
  // The guard of ports has scenarios of its own.
  const config = { name: 'web', bridge: 'isth0', spoofGuard: false, ...ipam, ...conf };
  const { options } = parseNetconf({ config, strict: true });
  assert.ok(options.driver === 'bridge');
  return bridgeDriver({ ...options, ...more }, 'web');
}

export function addressingOf({ addresses = [], routes = [] }: Scenario): Addressing {
  const assigned = addresses.map((text) => {
    const [address = '', gateway] = text.split(' ');
    return {
      address: parsePrefix(address) ?? assert.fail(text),
      ...(gateway === undefined ? {} : { gateway: addrOf(gateway) }),
    };
  });
  return { addresses: assigned, routes: routes.map((route) => parseRoute(route) ?? assert.fail(route.dst)) };
}

function withoutWhatStays(text: string): string {
  const lines = text.split('\n').filter((line) => !STAYS.some((pattern) => pattern.test(line)));
  return lines.join('\n');
}

/** Once a plan has been carried out, planning again plans nothing: what CHECK and the next ADD rely on. */
function assertNothingLacks(host: FakeHost, driver: Driver, addressing: Addressing): void {
  const again = driver.planNetwork(observeNetwork(host, host.own, driver, addressing), addressing);
  assert.deepEqual(again.ops, []);
}

function section(title: string, ops: readonly Op[]): string {
  return [`# ${title}`, ...ops.map((op) => renderOp(op, { sandbox: 'pod' })), ''].join('\n');
}
