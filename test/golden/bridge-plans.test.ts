import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { planText, type Scenario } from '../support/bridge-plan.ts';
import { assertGolden } from '../support/golden.ts';

const V4 = '10.88.0.2/16 10.88.0.1';
const V6 = 'fd00:88::2/64 fd00:88::1';
const DEFAULT_4 = { dst: '0.0.0.0/0' };
const DEFAULT_6 = { dst: '::/0' };

/** An existing bridge, created by this plugin or by another program. */
function existing(changes: { mtu?: number; up?: boolean; vlanFiltering?: boolean; address?: string } = {}): FakeSeed {
  const { mtu = 1500, up = true, vlanFiltering = false, address } = changes;
  const bridge = { vlanFiltering, defaultPvid: 1 };
  return {
    links: [{ name: 'isth0', kind: 'bridge', mtu, up, bridge }],
    addresses: address === undefined ? [] : [{ dev: 'isth0', address }],
  };
}

const UPLINK = { name: 'up0', mtu: 1450, up: true };
const UPLINK_4: FakeSeed = {
  links: [UPLINK, { name: 'up1', mtu: 9000, up: true }],
  addresses: [{ dev: 'up0', address: '192.0.2.7/24' }],
  routes: [
    { dst: '0.0.0.0/0', gateway: '192.0.2.9', dev: 'up1', priority: 200 },
    { dst: '0.0.0.0/0', gateway: '192.0.2.1', dev: 'up0', priority: 100 },
    { dst: '0.0.0.0/0', gateway: '192.0.2.8', dev: 'up1', table: 100 },
  ],
};
/** Two uplinks, one of which has its route from router advertisements (RTPROT_RA, 9). */
const UPLINK_RA = (acceptRa: string): FakeSeed => ({
  links: [
    { name: 'up0', mtu: 1500, up: true },
    { name: 'up1', mtu: 1500, up: true },
  ],
  routes: [
    { dst: '::/0', gateway: 'fe80::1', dev: 'up0', protocol: 9, priority: 1024 },
    { dst: 'fd00:1::/64', dev: 'up1', protocol: 2, priority: 256 },
  ],
  sysctls: { 'net/ipv6/conf/up0/accept_ra': acceptRa, 'net/ipv6/conf/up1/accept_ra': '1' },
});

/** File → scenarios that must give the same text: options that should not matter share a file. */
const PLANS: Readonly<Record<string, readonly Scenario[]>> = {
  'bridge-plain': [
    {},
    { conf: { isGateway: false, hairpinMode: false, promiscMode: false, macspoofchk: false, portIsolation: false } },
    { conf: { mtu: 0, vlan: 0, vlanTrunk: [], preserveDefaultVlan: true, forceAddress: true, ipMasq: false } },
    { conf: { enabledad: false, disableContainerInterface: false, dns: { nameservers: ['10.88.0.1'] } } },
  ],
  'bridge-addresses-without-gateway': [{ addresses: [V4] }, { addresses: [V4], conf: { forceAddress: true } }],
  'bridge-gateway-v4': [
    { conf: { isGateway: true }, addresses: [V4] },
    { conf: { isGateway: true }, addresses: ['10.88.0.2/16'] },
    { conf: { isGateway: true, forceAddress: true }, addresses: [V4] },
  ],
  'bridge-gateway-v4-default-route': [
    { conf: { isDefaultGateway: true }, addresses: [V4] },
    { conf: { isDefaultGateway: true, isGateway: true }, addresses: [V4], routes: [DEFAULT_4] },
    { conf: { isGateway: true }, addresses: [V4], routes: [DEFAULT_4] },
    { conf: { isGateway: true }, addresses: [V4], routes: [{ ...DEFAULT_4, gateway: '10.88.0.1' }] },
  ],
  'bridge-gateway-v6': [{ conf: { isGateway: true }, addresses: [V6] }],
  'bridge-gateway-dual-stack': [
    { conf: { isDefaultGateway: true }, addresses: [V4, V6] },
    { conf: { isGateway: true }, addresses: [V4, V6], routes: [DEFAULT_4, DEFAULT_6] },
  ],
  'bridge-gateway-two-subnets': [{ conf: { isGateway: true }, addresses: [V4, '10.99.0.2/24 10.99.0.1'] }],
  'bridge-gateway-forwarding-already': [
    {
      conf: { isGateway: true },
      addresses: [V4, V6],
      own: { sysctls: { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' } },
    },
  ],
  'bridge-gateway-v6-router-advertisements': [{ conf: { isGateway: true }, addresses: [V6], own: UPLINK_RA('1') }],
  'bridge-gateway-v6-router-advertisements-settled': [
    { conf: { isGateway: true }, addresses: [V6], own: UPLINK_RA('2') },
    { conf: { isGateway: true }, addresses: [V6], own: UPLINK_RA('0') },
  ],
  'bridge-gateway-v4-router-advertisements': [{ conf: { isGateway: true }, addresses: [V4], own: UPLINK_RA('1') }],
  'bridge-gateway-inhibited': [
    { conf: { isGateway: true }, options: { inhibit4: true }, addresses: [V4, V6] },
    { conf: { isGateway: true }, options: { inhibit4: true, gatewayFamilies: [4, 6] }, addresses: [V4, V6] },
  ],
  'bridge-gateway-isolated': [
    { conf: { isDefaultGateway: true }, options: { gatewayFamilies: [6] }, addresses: ['10.88.0.2/16', V6] },
    {
      conf: { isDefaultGateway: true },
      options: { gatewayFamilies: [6], inhibit4: true },
      addresses: ['10.88.0.2/16', V6],
    },
  ],
  'bridge-existing': [{ own: existing() }, { own: existing({ address: '10.99.0.1/24' }) }],
  'bridge-existing-down': [{ own: existing({ up: false }) }],
  'bridge-existing-gateway': [{ conf: { isGateway: true }, addresses: [V4], own: existing() }],
  'bridge-existing-gateway-complete': [
    {
      conf: { isGateway: true },
      addresses: [V4],
      own: { ...existing({ address: '10.88.0.1/16' }), sysctls: { 'net/ipv4/ip_forward': '1' } },
    },
  ],
  'bridge-force-address-v4': [
    { conf: { isGateway: true, forceAddress: true }, addresses: [V4], own: existing({ address: '10.99.0.1/24' }) },
  ],
  'bridge-force-address-v6-overlapping': [
    { conf: { isGateway: true, forceAddress: true }, addresses: [V6], own: existing({ address: 'fd00:88::9/48' }) },
  ],
  'bridge-address-v6-elsewhere': [
    { conf: { isGateway: true }, addresses: [V6], own: existing({ address: 'fd00:99::1/64' }) },
    { conf: { isGateway: true, forceAddress: true }, addresses: [V6], own: existing({ address: 'fd00:99::1/64' }) },
  ],
  'bridge-promisc': [{ conf: { promiscMode: true } }],
  'bridge-promisc-existing': [{ conf: { promiscMode: true }, own: existing() }],
  'bridge-hairpin': [{ conf: { hairpinMode: true } }],
  'bridge-hairpin-isolation': [{ conf: { hairpinMode: true, portIsolation: true } }],
  'bridge-isolation-by-flag': [{ conf: { portIsolation: true }, options: { isolatesByFlag: true } }],
  'bridge-vlan-isolation': [{ conf: { vlan: 100, portIsolation: true } }],
  'bridge-vlan': [{ conf: { vlan: 100 } }],
  'bridge-vlan-1': [{ conf: { vlan: 1 } }, { conf: { vlan: 1, preserveDefaultVlan: true } }],
  'bridge-vlan-preserve-default': [{ conf: { vlan: 100, preserveDefaultVlan: true } }],
  'bridge-vlan-trunk': [{ conf: { vlanTrunk: [{ id: 5 }, { minID: 10, maxID: 20 }] } }],
  'bridge-vlan-and-trunk': [{ conf: { vlan: 100, vlanTrunk: [{ id: 5, minID: 10, maxID: 20 }] } }],
  'bridge-vlan-existing': [{ conf: { vlan: 100 }, own: existing({ vlanFiltering: true }) }],
  'bridge-vlan-gateway': [{ conf: { vlan: 100, isGateway: true }, addresses: [V4, V6] }],
  'bridge-macspoofchk': [{ conf: { macspoofchk: true } }],
  'bridge-spoof-guard': [
    { conf: { isGateway: true, spoofGuard: true }, addresses: [V4, V6] },
    { conf: { isGateway: true, spoofGuard: 'on', macspoofchk: true }, addresses: [V4, V6] },
  ],
  'bridge-mtu': [{ conf: { mtu: 1400 } }, { conf: { mtu: 1400 }, own: UPLINK_4 }],
  'bridge-mtu-default-route': [{ own: UPLINK_4 }, { conf: { mtu: 0 }, own: UPLINK_4 }],
  'bridge-mtu-existing': [{ own: existing({ mtu: 1400 }) }],
  'bridge-mtu-given-existing': [{ conf: { mtu: 1300 }, own: existing({ mtu: 1400 }) }],
  'bridge-disable-container-interface': [{ conf: { disableContainerInterface: true } }],
  'bridge-enabledad': [{ conf: { enabledad: true }, addresses: [V4, V6] }],
  'bridge-sandbox-without-v6': [{ addresses: [V6], sandbox: { sysctls: { 'net/ipv6/conf/lo/disable_ipv6': '1' } } }],
  'bridge-routes': [
    {
      addresses: [V4, V6],
      routes: [
        { dst: '10.0.0.0/8', mtu: 1400, advmss: 1360, priority: 50 },
        { dst: '172.16.0.0/12', gateway: '10.88.0.9', table: 100 },
        { dst: '192.0.2.0/24', scope: 253 },
        { dst: 'fd00:99::/64', gateway: 'fd00:88::9' },
        DEFAULT_6,
      ],
    },
  ],
};

describe('bridge driver plans', () => {
  for (const [name, scenarios] of Object.entries(PLANS)) {
    for (const scenario of scenarios) {
      it(`${name}: ${JSON.stringify({ ...scenario.conf, ...scenario.options, addresses: scenario.addresses })}`, () =>
        assertGolden(name, planText(scenario)));
    }
  }

  it('delete an address only once, for however many gateways', () => {
    const addresses = [V4, '10.77.0.2/16 10.77.0.1'];
    const own = existing({ address: '10.99.0.1/24' });
    const text = planText({ conf: { isGateway: true, forceAddress: true }, addresses, own });
    assert.equal(text.match(/^ip addr(ess)? del.* 10\.99\.0\.1\/24/gm)?.length, 1, text);
  });

  it("give a VLAN's gateway the network's MTU at both ends", () => {
    const text = planText({ conf: { vlan: 100, isGateway: true, mtu: 1400 }, addresses: [V4] });
    assert.match(text, /^ip link add name vlan\w+ .*mtu 1400 .*peer name isth0\.100 .*mtu 1400/m);
  });

  const conflicts: Readonly<Record<string, readonly [Scenario, RegExp]>> = {
    'a link of another kind': [
      { own: { links: [{ name: 'isth0', kind: 'veth' }] } },
      /link isth0: exists and is of kind veth/,
    ],
    'a link of no kind': [{ own: { links: [{ name: 'isth0' }] } }, /link isth0: exists and is not a bridge/],
    'another IPv4 address': [
      { conf: { isGateway: true }, addresses: [V4], own: existing({ address: '10.99.0.1/24' }) },
      /link isth0: already has an IP address different from 10\.88\.0\.1\/16: 10\.99\.0\.1\/24.*forceAddress/,
    ],
    'the same IPv4 address with another length': [
      { conf: { isGateway: true }, addresses: [V4], own: existing({ address: '10.88.0.1/24' }) },
      /different from 10\.88\.0\.1\/16: 10\.88\.0\.1\/24/,
    ],
    'an overlapping IPv6 address': [
      { conf: { isGateway: true }, addresses: [V6], own: existing({ address: 'fd00:88::9/48' }) },
      /different from fd00:88::1\/64: fd00:88::9\/48/,
    ],
    'a bridge that does not filter by VLAN': [
      { conf: { vlan: 100 }, own: existing() },
      /link isth0: exists without VLAN filtering.*vlan_filtering 1/,
    ],
  };
  for (const [name, [scenario, message]] of Object.entries(conflicts)) {
    it(`reject ${name}`, () => {
      assert.throws(
        () => planText(scenario),
        (error) => error instanceof NetError && error.kind === 'conflict' && message.test(error.message),
      );
    });
  }
});
