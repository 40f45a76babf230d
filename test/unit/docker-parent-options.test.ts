import { strict as assert } from 'node:assert';
import { specOfDocker, subnetsOf } from '../../cmd/cnm-shim/docker/network-options.ts';
import { parseOptions } from '../../cmd/cnm-shim/docker/options.ts';
import { hasRouter, parentChoice } from '../../cmd/cnm-shim/docker/parent-options.ts';
import { decodeCreateNetwork } from '../../cmd/cnm-shim/docker/wire/messages.ts';
import { formatSpec, parseSpec, type SpecText } from '../../src/shared/config/network-spec.ts';
import { formatNetwork, parseNetwork } from '../../src/shared/store/bodies.ts';
import { refusedWith } from '../support/core.ts';

const ID = 'd527509059b9f2f85c6351db7c8f4945bd1e96769e16f1c686edc6a408c761a5';
const V4 = { AddressSpace: 'LocalDefault', Pool: '10.5.0.0/24', Gateway: '10.5.0.1/24' };

type Options = Readonly<Record<string, string>>;

function specOf(o: Options, internal = false): SpecText {
  const request = decodeCreateNetwork({
    NetworkID: ID,
    Options: {
      'com.docker.network.generic': o,
      ...(internal ? { 'com.docker.network.internal': true } : {}),
    },
    IPv4Data: [V4],
    IPv6Data: [],
  });
  // No packet filter: these networks need none.
  return formatSpec(specOfDocker({ request, options: parseOptions(o), subnets: subnetsOf(request), backend: 'none' }));
}

const MACVLAN = { driver: 'macvlan', mode: 'bridge', linkInContainer: false, offered: true };
const IPVLAN = { driver: 'ipvlan', mode: 'l2', flag: 'bridge', linkInContainer: false, offered: true };

describe('Docker options of macvlan and ipvlan networks', () => {
  for (const [o, expected] of [
    [
      { driver: 'macvlan', parent: 'eth0' },
      { ...MACVLAN, master: 'eth0' },
    ],
    [
      { driver: 'macvlan', parent: 'eth0', macvlan_mode: 'vepa', 'com.docker.network.driver.mtu': '1400' },
      { ...MACVLAN, mode: 'vepa', master: 'eth0', mtu: 1400 },
    ],
    [
      { driver: 'macvlan', parent: 'eth0.10' },
      { ...MACVLAN, master: 'eth0.10', made: { kind: 'vlan', dev: 'eth0', id: 10 } },
    ],
    [
      { driver: 'macvlan', parent: 'eth0.4095' },
      { ...MACVLAN, master: 'eth0.4095' },
    ],
    [
      { driver: 'macvlan', parent: 'eth0.010' },
      { ...MACVLAN, master: 'eth0.010' },
    ],
    [
      { driver: 'macvlan', parent: '' },
      { ...MACVLAN, master: 'dm-d527509059b9', made: { kind: 'dummy' }, internal: true },
    ],
    [{ driver: 'ipvlan' }, { ...IPVLAN, master: 'di-d527509059b9', made: { kind: 'dummy' }, internal: true }],
    [
      { driver: 'ipvlan', parent: 'eth0', ipvlan_mode: 'l3s', ipvlan_flag: 'private' },
      { ...IPVLAN, master: 'eth0', mode: 'l3s', flag: 'private' },
    ],
  ] as const)
    it(`make a spec that survives its row: ${JSON.stringify(o)}`, () => {
      const spec = specOf(o);
      assert.deepEqual(spec.options, expected);
      assert.deepEqual([spec.allocator, spec.rules], ['docker', undefined]);
      const row = { name: 'n', driver: spec.options.driver, device: 'eth0', bootId: 'b', owned: [] };
      assert.deepEqual(parseNetwork(formatNetwork({ ...row, spec: parseSpec(spec) }))?.spec, parseSpec(spec));
    });

  it('--internal: nothing leads out', () => {
    const { options } = specOf({ driver: 'macvlan', parent: 'eth0' }, true);
    assert.deepEqual(options, { ...MACVLAN, master: 'eth0', internal: true });
  });

  it('containers use a gateway where the parent leads out and something is resolved', () => {
    const leads = (o: Options): boolean => hasRouter(parentChoice(o, o.driver ?? ''));
    const parent = 'eth0';
    for (const o of [{ driver: 'macvlan', parent }, { driver: 'ipvlan', parent }, { driver: 'bridge' }] as const)
      assert.equal(leads(o), true, JSON.stringify(o));
    for (const o of [{ driver: 'macvlan' }, { driver: 'ipvlan', parent, ipvlan_mode: 'l3' }] as const)
      assert.equal(leads(o), false, JSON.stringify(o));
  });

  for (const [o, text] of [
    [
      { driver: 'macvlan', macvlan_mode: 'brige' },
      /-o macvlan_mode=brige: it is no macvlan mode.*Did you mean bridge\?/,
    ],
    [{ driver: 'ipvlan', ipvlan_mode: 'L2' }, /-o ipvlan_mode=L2: .*Did you mean l2\? Give one of l2, l3, l3s/],
    [
      { driver: 'ipvlan', ipvlan_flag: 'x' },
      /-o ipvlan_flag=x: it is no ipvlan flag\. Give one of bridge, private, vepa/,
    ],
    [
      { driver: 'macvlan', parent: 'an-interface-of-host' },
      /-o parent=an-interface-of-host: it is longer than 15 bytes/,
    ],
    [{ driver: 'macvlan', parent: 'a b' }, /-o parent=a b: it has white space/],
    [{ driver: 'macvlan', parent: 'all' }, /-o parent=all: it is a reserved name/],
    [{ driver: 'macvlan', ipvlan_mode: 'l2' }, /-o ipvlan_mode=l2: the network is of driver macvlan. Leave it out/],
    [{ driver: 'ipvlan', macvlan_mode: 'bridge' }, /-o macvlan_mode=bridge: the network is of driver ipvlan/],
    [{ parent: 'eth0' }, /-o parent=eth0: only driver macvlan or ipvlan has this option. Add -o driver=macvlan/],
    [{ driver: 'overlay', ipvlan_flag: 'vepa' }, /-o ipvlan_flag=vepa: only driver ipvlan has this.*-o driver=ipvlan/],
    [{ driver: 'macvlan', icc: 'false' }, /-o icc=false: a network of driver macvlan has no bridge/],
    [{ driver: 'macvlan', 'com.docker.network.bridge.name': 'b' }, /bridge\.name=b: .*has no bridge/],
    [{ driver: 'macvlan', vni: '7' }, /-o vni=7: only driver overlay has this option/],
    [{ driver: 'macvlan', mode: 'vepa' }, /-o mode=vepa: only driver overlay has it. Give -o macvlan_mode=vepa/],
    [{ driver: 'macvlan', mtu: '60' }, /-o mtu=60: it is not an MTU/],
    [{ driver: 'macvlan', parnet: 'eth0' }, /-o parnet=eth0: it is not an option.*Did you mean parent\?/],
    [{ driver: 'macvaln' }, /-o driver=macvaln: it is not a driver. Did you mean macvlan\?/],
  ] as const)
    it(`are refused: ${JSON.stringify(o)}`, () =>
      assert.throws(() => parseOptions(o), refusedWith('invalid-config', text)));
});
