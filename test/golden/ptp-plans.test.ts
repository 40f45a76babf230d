import type { PtpOptions } from '../../src/shared/config/ptp.ts';
import { ptpDriver } from '../../src/shared/drivers/ptp/ptp.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { planText, type Scenario } from '../support/bridge-plan.ts';
import { assertGolden } from '../support/golden.ts';

const V4 = '10.7.0.2/24 10.7.0.1';
const V6 = 'fd07::2/64 fd07::1';
const DEFAULT_4 = { dst: '0.0.0.0/0' };
const DEFAULT_6 = { dst: '::/0' };
const LEARNING: FakeSeed = {
  links: [{ name: 'up0', mtu: 1500, up: true }],
  routes: [{ dst: '::/0', gateway: 'fe80::1', dev: 'up0', protocol: 9, priority: 1024 }],
  sysctls: { 'net/ipv6/conf/up0/accept_ra': '1' },
};

type PtpScenario = Omit<Scenario, 'conf' | 'options'> & { readonly options?: Omit<PtpOptions, 'driver'> };

/** File → scenarios that must give the same text: what should not matter shares a file. */
const PLANS: Readonly<Record<string, readonly PtpScenario[]>> = {
  'ptp-l2': [{}],
  'ptp-v4': [
    { addresses: [V4], routes: [DEFAULT_4] },
    { addresses: [V4], routes: [{ ...DEFAULT_4, gateway: '10.7.0.1' }] },
  ],
  'ptp-v6': [{ addresses: [V6], routes: [DEFAULT_6] }],
  'ptp-dual-stack': [{ addresses: [V4, V6], routes: [DEFAULT_4, DEFAULT_6] }],
  'ptp-mtu': [{ options: { mtu: 1400 }, addresses: [V4] }],
  'ptp-forwarding-already': [
    {
      addresses: [V4, V6],
      own: { sysctls: { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' } },
    },
  ],
  'ptp-router-advertisements': [{ addresses: [V6], own: LEARNING }],
  'ptp-two-addresses-of-a-subnet': [{ addresses: [V4, '10.7.0.3/24 10.7.0.1'], routes: [DEFAULT_4] }],
  'ptp-single-address': [
    { addresses: ['10.8.0.2/32 169.254.1.1', 'fd08::2/128 fe80::1'], routes: [DEFAULT_4, DEFAULT_6] },
  ],
  'ptp-gateway-of-route': [{ addresses: ['10.8.0.2/32'], routes: [{ ...DEFAULT_4, gateway: '169.254.1.1' }] }],
  'ptp-without-gateway': [{ addresses: ['10.8.0.2/24', 'fd08::2/64'] }],
  'ptp-routes': [
    {
      addresses: [V4],
      routes: [
        { dst: '10.0.0.0/8', mtu: 1400, advmss: 1360, priority: 50 },
        { dst: '172.16.0.0/12', gateway: '10.7.0.9' },
        { dst: '192.0.2.0/24', scope: 253 },
      ],
    },
  ],
};

describe('ptp driver plans', () => {
  for (const [name, scenarios] of Object.entries(PLANS)) {
    for (const scenario of scenarios) {
      const { options = {}, ...rest } = scenario;
      it(`${name}: ${JSON.stringify({ ...options, addresses: scenario.addresses })}`, () =>
        assertGolden(name, planText(rest, ptpDriver({ driver: 'ptp', ...options }))));
    }
  }
});
