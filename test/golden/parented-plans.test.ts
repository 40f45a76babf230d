import { madeVlan, type ParentedOptions } from '../../src/shared/config/parented.ts';
import { observeNetwork } from '../../src/shared/core/view.ts';
import { planLoneLink } from '../../src/shared/drivers/lone/link.ts';
import { parentedDriver, planTrial } from '../../src/shared/drivers/lone/parented.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import { given } from '../../src/shared/model/given.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { assertGolden } from '../support/golden.ts';

const NETWORK = 'docker-0123456789ab';
const UP0: FakeSeed = { links: [{ name: 'up0', mtu: 1500, up: true }] };
const WITH_VLAN: FakeSeed = { links: [...(UP0.links ?? []), { name: 'up0.10', mtu: 1500, up: true }] };
const MACVLAN = { driver: 'macvlan', mode: 'bridge', linkInContainer: false, offered: true } as const;
const IPVLAN = { driver: 'ipvlan', mode: 'l2', flag: 'bridge', linkInContainer: false, offered: true } as const;
const vlan = given({ made: madeVlan('up0.10') });

interface Scenario {
  readonly options: ParentedOptions;
  readonly own?: FakeSeed;
  /** The user requests a MAC. */
  readonly isRequested?: boolean;
}

/** File → scenarios that must give the same text: what should not matter shares a file. */
const PLANS: Readonly<Record<string, readonly Scenario[]>> = {
  'parented-macvlan': [
    { options: { ...MACVLAN, master: 'up0' } },
    { options: { ...MACVLAN, master: 'up0', internal: true } },
    { options: { ...MACVLAN, master: 'up0' }, isRequested: true },
  ],
  'parented-macvlan-vepa-mtu': [{ options: { ...MACVLAN, mode: 'vepa', master: 'up0', mtu: 1400 } }],
  'parented-macvlan-passthru': [{ options: { ...MACVLAN, mode: 'passthru', master: 'up0' } }],
  'parented-macvlan-passthru-mac': [{ options: { ...MACVLAN, mode: 'passthru', master: 'up0' }, isRequested: true }],
  'parented-macvlan-vlan': [{ options: { ...MACVLAN, master: 'up0.10', ...vlan } }],
  'parented-macvlan-vlan-there': [{ options: { ...MACVLAN, master: 'up0.10', ...vlan }, own: WITH_VLAN }],
  'parented-macvlan-dummy': [
    { options: { ...MACVLAN, master: 'dm-0123456789ab', mtu: 9000, made: { kind: 'dummy' }, internal: true } },
  ],
  'parented-ipvlan': [{ options: { ...IPVLAN, master: 'up0' } }],
  'parented-ipvlan-l3s-private-vlan': [
    { options: { ...IPVLAN, mode: 'l3s', flag: 'private', master: 'up0.10', ...vlan } },
  ],
  'parented-ipvlan-dummy': [{ options: { ...IPVLAN, master: 'di-0123456789ab', made: { kind: 'dummy' } } }],
};

/** All steps of a network and of one endpoint, and what they leave on a host that accepts them. */
function planText({ options, own = UP0, isRequested = false }: Scenario): string {
  const host = new FakeHost({ own });
  const driver = parentedDriver(options, NETWORK);
  const addressing = { addresses: [], routes: [] };
  const { ops, undo } = driver.planNetwork(observeNetwork(host, host.own, driver, addressing), addressing);
  const names = { ifName: 'peer0123456789a', mac: '0a:58:0a:05:00:02', alias: 'isthmus cnm net=n if=p id=e' };
  const endpoint = planLoneLink(driver.describeLone({ ...names, isRequested }), 'host');
  const trial = planTrial(options, NETWORK);
  for (const one of [ops, trial.ops]) host.apply(one, { host: host.own });
  for (const failure of host.revert(trial.undo, { host: host.own })) throw failure;
  host.apply(endpoint.ops, { host: host.own });
  const lines = (title: string, of: readonly Op[]) => [`# ${title}`, ...of.map((op) => renderOp(op, { sandbox: 'c' }))];
  const steps = [
    ...lines('network', ops),
    ...lines('trial', [...trial.ops, ...trial.undo]),
    ...lines('endpoint', endpoint.ops),
    ...lines('deletion', [...endpoint.undo, ...undo]),
  ];
  return [...steps, '# the host with both', host.toString()].join('\n');
}

describe('plans of networks on a parent', () => {
  for (const [name, scenarios] of Object.entries(PLANS))
    for (const scenario of scenarios)
      it(`${name}: ${JSON.stringify(scenario.options)}`, () => assertGolden(name, planText(scenario)));
});
