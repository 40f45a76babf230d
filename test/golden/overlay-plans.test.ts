import { strict as assert } from 'node:assert';
import { observeNetwork } from '../../src/shared/core/view.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { LinkState, VxlanState } from '../../src/shared/model/link.ts';
import { ownedOf, planDeletion } from '../../src/shared/model/owned.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { addressingOf, planText, type Scenario } from '../support/bridge-plan.ts';
import { assertGolden } from '../support/golden.ts';
import { type OverlaySite, overlayOf } from '../support/overlay-plan.ts';

const V4 = '10.88.0.2/16 10.88.0.1';
const V6 = 'fd00:88::2/64 fd00:88::1';
const RANGE_4 = '10.88.3.2/24 10.88.3.1';
const RANGE_6 = 'fd00:88:0:3::2/64 fd00:88:0:3::1';
const LOCAL_6 = '2001:db8::7';

const UNDERLAY: FakeSeed = {
  links: [{ name: 'up0', mtu: 1500, up: true }],
  addresses: [
    { dev: 'up0', address: '192.0.2.7/24' },
    { dev: 'up0', address: `${LOCAL_6}/64` },
  ],
};

type Plan = OverlaySite & Pick<Scenario, 'addresses' | 'own'>;

const vxlan: VxlanState = {
  id: 42,
  port: 4789,
  local: '192.0.2.7',
  learning: false,
  proxy: false,
  ttl: 0,
  df: 'unset',
  udpCsum: true,
  zeroCsum6Tx: false,
  zeroCsum6Rx: false,
};

/** Bridge and VXLAN device of an earlier call, the device with these changes. */
function existing(changes: Partial<LinkState> = {}): FakeSeed {
  const bridge = { name: 'isth0', kind: 'bridge', mtu: 1450, up: true, alias: 'isthmus bridge net=web' };
  const device = { name: 'vx0', kind: 'vxlan', up: true, alias: 'isthmus overlay net=web', vxlan, ...changes };
  return { ...UNDERLAY, links: [...(UNDERLAY.links ?? []), bridge, device] };
}

const gateway = { isDefaultGateway: true };

/** File → plans that must be the same. */
const PLANS: Readonly<Record<string, readonly Plan[]>> = {
  'overlay-shared': [{ mode: 'shared', conf: gateway, addresses: [V4, V6] }],
  'overlay-shared-internal': [{ mode: 'shared', addresses: [V4, V6] }],
  'overlay-shared-underlay-6': [{ mode: 'shared', conf: gateway, addresses: [V4, V6], vxlan: { local: LOCAL_6 } }],
  'overlay-shared-mtu': [
    { mode: 'shared', conf: { mtu: 1400 }, addresses: [V4] },
    { mode: 'shared', addresses: [V4], own: { ...UNDERLAY, links: [{ name: 'up0', mtu: 1450, up: true }] } },
  ],
  'overlay-per-host': [{ mode: 'per-host', conf: gateway, addresses: [RANGE_4, RANGE_6] }],
  'overlay-per-host-underlay-6': [
    { mode: 'per-host', conf: gateway, addresses: [RANGE_4, RANGE_6], vxlan: { local: LOCAL_6 } },
  ],
};

function text({ own = UNDERLAY, addresses = [], ...site }: Plan): string {
  return planText({ own, addresses }, overlayOf(site));
}

/** Applies what the network lacks on the host, and returns it as commands. */
function applied(mode: OverlaySite['mode'], host: FakeHost): string {
  const driver = overlayOf({ mode });
  const addressing = driver.complete(addressingOf({ addresses: [V4] }));
  const { ops } = driver.planNetwork(observeNetwork(host, host.own, driver, addressing), addressing);
  host.apply(ops, { host: host.own });
  return ops.map((op) => `${renderOp(op, { sandbox: '' })}\n`).join('');
}

function mended(mode: OverlaySite['mode'], own: FakeSeed): string {
  return applied(mode, new FakeHost({ own }));
}

describe('overlay driver plans', () => {
  for (const [name, plans] of Object.entries(PLANS)) {
    for (const plan of plans) it(`${name}: ${JSON.stringify(plan.conf ?? {})}`, () => assertGolden(name, text(plan)));
  }

  it('overlay-mended: give a device of ours what it has lost, while it is up', () => {
    const changes = { mac: '02:00:00:00:00:01', vxlan: { ...vxlan, local: '192.0.2.6', learning: true } };
    assertGolden('overlay-mended', mended('shared', existing(changes)));
  });

  it('own the devices that they create, as a record holds them', () => {
    const driver = overlayOf({ mode: 'shared' });
    const host = new FakeHost({ own: UNDERLAY });
    const addressing = addressingOf({ addresses: [V4] });
    const { undo } = driver.planNetwork(observeNetwork(host, host.own, driver, addressing), addressing);
    assert.deepEqual(ownedOf(undo), [
      { kind: 'link', name: 'vx0', link: 'vxlan' },
      { kind: 'link', name: 'isth0', link: 'bridge' },
    ]);
    assert.deepEqual(planDeletion(ownedOf(undo)), undo);
  });

  it('change nothing on a device that has all', () => {
    const host = new FakeHost({ own: UNDERLAY });
    for (const expected of [/./, /^$/]) assert.match(applied('shared', host), expected);
  });

  const conflicts: Readonly<Record<string, readonly [Partial<Plan>, RegExp]>> = {
    'an underlay address that the host does not have': [
      { vxlan: { local: '192.0.2.8' } },
      /no interface of this host has the address 192\.0\.2\.8/,
    ],
    'a device of others': [{ own: existing({ alias: 'mine' }) }, /vx0: exists and does not belong to this network/],
    'a device of another network': [
      { own: existing({ alias: 'isthmus overlay net=other' }) },
      /vx0: exists and does not belong to this network/,
    ],
    'another VNI': [{ own: existing({ vxlan: { ...vxlan, id: 43 } }) }, /VNI 43, .* cannot become 42/],
    'another port': [{ own: existing({ vxlan: { ...vxlan, port: 8472 } }) }, /port 8472 .* cannot become/],
    'the other family': [{ vxlan: { local: LOCAL_6 }, own: existing() }, /cannot become 42, 4789 and 2001:db8::7/],
  };
  for (const [name, [plan, message]] of Object.entries(conflicts)) {
    it(`reject ${name}`, () => {
      assert.throws(
        () => text({ mode: 'shared', addresses: [V4], ...plan }),
        (error) => error instanceof NetError && error.kind === 'conflict' && message.test(error.message),
      );
    });
  }
});
