import { strict as assert } from 'node:assert';
import { parseNetconf } from '../../src/shared/config/netconf.ts';
import type { OverlayConfig } from '../../src/shared/config/overlay.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

type More = Readonly<Record<string, unknown>>;
const LEAST = { name: 'web', type: 'isthmus', driver: 'overlay', ipam: { subnet: '10.100.0.0/16' } };

function parse(more: More = {}): OverlayConfig {
  const { options } = parseNetconf({ config: { ...LEAST, ...more }, strict: true });
  assert.ok(options.driver === 'overlay');
  return options.overlay;
}

function refused(more: More, kind: NetError['kind'] = 'invalid-config'): string {
  try {
    parse(more);
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.notEqual(error.hint, '');
    return error.message;
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(more)} was taken` });
}

describe('the keys of driver overlay', () => {
  const standard = { mode: 'per-host', flood: false, hostAddress: false, encrypted: false };

  it('have defaults: a routed network, with any VNI', () => {
    const { device, ...rest } = parse();
    assert.match(device, /^vx-[0-9a-f]{12}$/);
    assert.deepEqual(rest, standard);
    assert.notEqual(parse({ name: 'db' }).device, device);
  });

  it('choose the mode, the VNI and flooding', () => {
    const { device: _, ...rest } = parse({ mode: 'shared', vni: 7000, flood: true });
    assert.deepEqual(rest, { ...standard, mode: 'shared', vni: 7000, flood: true });
    for (const vni of [1, 16_777_215]) assert.equal(parse({ vni }).vni, vni);
    for (const mode of ['per-host', 'shared']) assert.equal(parse({ mode, flood: false }).mode, mode);
  });

  for (const [more, message] of [
    [{ mode: 'bridged' }, /\.mode="bridged": it is not known here\. Choose among "?per-host/],
    [{ vni: 0 }, /\.vni=0: it must be >= 1/],
    [{ vni: 16_777_216 }, /\.vni=16777216: it must be <= 16777215/],
    [{ vni: '7' }, /\.vni="7": it is not an integer/],
    [{ flood: true }, /\.flood=true: a routed network .* has neither floods.*"mode": "shared"/],
    [{ mode: 'per-host', hostAddress: true }, /\.hostAddress=true: a routed network/],
    [{ ipam: undefined }, /\.ipam: the hosts of an overlay network share .* only the built-in IPAM can give\. Write/],
    [{ flood: 'on' }, /\.flood="on": it is not a boolean/],
    [{ encrypted: 'on' }, /\.encrypted="on": it is not a boolean/],
    [{ vlan: 7 }, /\.vlan=7: means nothing to driver "overlay"\. Remove it/],
    [{ vlanTrunk: [{ id: 7 }] }, /\.vlanTrunk=.*: means nothing to driver "overlay"/],
    [{ promiscMode: true }, /\.promiscMode=true: means nothing to driver "overlay"/],
    [{ disableContainerInterface: true }, /\.disableContainerInterface=true: means nothing/],
    [{ forceAddress: true }, /\.forceAddress=true: means nothing/],
    [{ isGateway: true }, /\.isGateway=true: means nothing/],
  ] as const)
    it(`refuse ${JSON.stringify(more)}`, () => assert.match(refused(more), message));

  it('encrypt in both modes', () => {
    for (const mode of ['per-host', 'shared']) assert.equal(parse({ mode, encrypted: true }).encrypted, true);
    assert.equal(parse({ encrypted: false }).encrypted, false);
  });

  for (const driver of ['bridge', 'host', 'null'])
    it(`mean nothing to driver ${driver}`, () => {
      for (const [key, value] of Object.entries({ ...standard, vni: 7 }))
        assert.match(
          refused({ driver, ipam: undefined, [key]: value }),
          new RegExp(`\\.${key}=.*means nothing to driver "${driver}"`),
        );
    });
});
