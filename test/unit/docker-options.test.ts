import { strict as assert } from 'node:assert';
import { specOfDocker, subnetsOf } from '../../cmd/cnm-shim/docker/network-options.ts';
import { parseOptions } from '../../cmd/cnm-shim/docker/options.ts';
import { portRequests } from '../../cmd/cnm-shim/docker/port-options.ts';
import { decodeCreateNetwork } from '../../cmd/cnm-shim/docker/wire/messages.ts';
import type { BridgeOptions } from '../../src/shared/config/bridge.ts';
import type { FirewallOptions } from '../../src/shared/config/firewall.ts';
import { formatSpec, type SpecText } from '../../src/shared/config/network-spec.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { addrOf } from '../support/addresses.ts';

const ID = 'd527509059b9f2f85c6351db7c8f4945bd1e96769e16f1c686edc6a408c761a5';
const BRIDGE = 'com.docker.network.bridge.';
const V4 = { AddressSpace: 'isthmus', Pool: '10.99.0.0/24', Gateway: '10.99.0.1/24' };
const V6 = { AddressSpace: 'isthmus', Pool: 'fd00:99::/64', Gateway: 'fd00:99::1/64' };

interface Asked {
  readonly o?: Readonly<Record<string, string>>;
  readonly internal?: boolean;
  readonly v4?: readonly object[];
  readonly v6?: readonly object[];
  readonly shared?: string;
  readonly scope?: string;
  readonly backend?: 'nftables' | 'none';
}

function specOf({ o = {}, internal = false, v4 = [V4], v6 = [], shared, scope, backend }: Asked = {}): SpecText {
  const request = decodeCreateNetwork({
    NetworkID: ID,
    Options: {
      'com.docker.network.enable_ipv6': v6.length > 0,
      'com.docker.network.generic': o,
      ...(internal ? { 'com.docker.network.internal': true } : {}),
    },
    IPv4Data: v4,
    IPv6Data: v6,
  });
  const spec = specOfDocker({
    request,
    options: parseOptions(request.generic),
    subnets: subnetsOf(request),
    backend: backend ?? 'nftables',
    ...(shared === undefined ? {} : { shared }),
    ...(scope === undefined ? {} : { scope }),
  });
  return formatSpec(spec);
}

type RulesText = NonNullable<SpecText['rules']>['options'];
type Expected = { readonly [key in keyof RulesText]?: RulesText[key] | undefined };

function bridgeOf(asked?: Asked): BridgeOptions {
  const { options } = specOf(asked);
  assert.ok(options.driver === 'bridge');
  return options;
}

function rulesOf(asked?: Asked): Partial<RulesText> {
  const { rules } = specOf(asked);
  assert.ok(rules?.admit);
  return rules.options;
}

function refused(kind: NetError['kind'], ...words: readonly RegExp[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind);
    for (const word of words) assert.match(error.message, word);
    return true;
  };
}

describe('Docker network options', () => {
  it('default to a closed, masqueraded bridge of its own', () => {
    assert.deepEqual(specOf(), {
      options: {
        driver: 'bridge',
        bridge: 'br-d527509059b9',
        isGateway: true,
        isDefaultGateway: false,
        forceAddress: false,
        hairpin: true,
        promisc: false,
        trunk: [],
        preserveDefaultVlan: false,
        macspoofchk: false,
        spoofGuard: true,
        enabledad: false,
        disableContainerInterface: false,
        portIsolation: false,
      },
      ranges: [[{ subnet: '10.99.0.0/24', gateway: '10.99.0.1' }]],
      allocator: 'docker',
      routes: [],
      rules: {
        backend: 'nftables',
        options: {
          backend: 'auto',
          policy: 'closed',
          masquerade: { except: [], to: {} },
          ports: { snat: true, masqAll: false, conditions: { 4: [], 6: [] } },
        },
        admit: true,
      },
    });
  });

  it('set the scope of our own IPAM and one range set for each family', () => {
    const { ranges, scope, allocator } = specOf({ v6: [V6], scope: 'docker' });
    assert.deepEqual(ranges, [
      [{ subnet: '10.99.0.0/24', gateway: '10.99.0.1' }],
      [{ subnet: 'fd00:99::/64', gateway: 'fd00:99::1' }],
    ]);
    assert.deepEqual([scope, allocator], ['docker', undefined]);
  });

  const bridges: readonly (readonly [string, Asked, Partial<BridgeOptions>])[] = [
    ['a name', { o: { [`${BRIDGE}name`]: 'br7' } }, { bridge: 'br7' }],
    ['a name, in our own word', { o: { bridge: 'br7' } }, { bridge: 'br7' }],
    ['a name, twice the same', { o: { bridge: 'br7', [`${BRIDGE}name`]: 'br7' } }, { bridge: 'br7' }],
    ['no name, as Docker writes none', { o: { [`${BRIDGE}name`]: '' } }, { bridge: 'br-d527509059b9' }],
    ['an MTU', { o: { 'com.docker.network.driver.mtu': '1400' } }, { mtu: 1400 }],
    ['no ICC', { o: { [`${BRIDGE}enable_icc`]: 'false' } }, { portIsolation: true }],
    ['ICC, as Go writes it', { o: { [`${BRIDGE}enable_icc`]: 'T' } }, { portIsolation: false }],
    ['no gateway address', { o: { [`${BRIDGE}inhibit_ipv4`]: '1' } }, { inhibit4: true, isGateway: true }],
    ['MAC checks', { o: { macspoofchk: 'true' } }, { macspoofchk: true }],
    ['the spoof guard', { o: { spoofGuard: 'on' } }, { spoofGuard: true }],
    ['to be shared', { shared: 'web' }, { bridge: 'br-web' }],
  ];
  for (const [what, asked, expected] of bridges) {
    it(`set the bridge's options: ${what}`, () => {
      assert.deepEqual({ ...bridgeOf(asked), ...expected }, bridgeOf(asked));
    });
  }

  it('treat an MTU of 0 as the default', () => {
    assert.equal(bridgeOf({ o: { 'com.docker.network.driver.mtu': '0' } }).mtu, undefined);
  });

  it('internal: turn masquerading off and keep the address of the bridge', () => {
    const { masquerade, policy } = rulesOf({ internal: true });
    assert.deepEqual([masquerade, policy], [undefined, 'internal']);
    assert.equal(bridgeOf({ internal: true }).isGateway, true);
  });

  it('isolated: remove the gateway of one family of an internal network, or of both', () => {
    const o = { [`${BRIDGE}gateway_mode_ipv4`]: 'isolated' };
    const one = specOf({ o, internal: true, v6: [V6] });
    assert.deepEqual(one.ranges, [[{ subnet: '10.99.0.0/24' }], [{ subnet: 'fd00:99::/64', gateway: 'fd00:99::1' }]]);
    assert.ok(one.options.driver === 'bridge');
    assert.deepEqual([one.options.isGateway, one.options.gatewayFamilies], [true, [6]]);
    assert.equal(bridgeOf({ o, internal: true }).isGateway, false);
    assert.throws(() => specOf({ o }), refused('invalid-config', /gateway_mode_ipv4=isolated/, /--internal/));
  });

  it('without a gateway: keep the bridge from being one', () => {
    assert.equal(bridgeOf({ v4: [{ ...V4, Gateway: '' }] }).isGateway, false);
  });

  const modes: readonly (readonly [string, Asked, Expected])[] = [
    ['no masquerading', { o: { [`${BRIDGE}enable_ip_masquerade`]: 'false' } }, { masquerade: undefined }],
    [
      'a source address',
      { o: { 'com.docker.network.host_ipv4': '192.0.2.7', 'com.docker.network.host_ipv6': '2001:DB8::7' } },
      { masquerade: { except: [], to: { 4: '192.0.2.7', 6: '2001:db8::7' } } },
    ],
    [
      'IPv6 routed',
      { o: { [`${BRIDGE}gateway_mode_ipv6`]: 'routed' } },
      {
        masquerade: { families: [4], except: [], to: {} },
        ports: { snat: true, masqAll: false, conditions: { 4: [], 6: [] }, routed: [6] },
        policy: 'closed',
      },
    ],
    [
      'both routed',
      { o: { [`${BRIDGE}gateway_mode_ipv4`]: 'routed', [`${BRIDGE}gateway_mode_ipv6`]: 'routed' } },
      { masquerade: undefined },
    ],
    [
      'IPv4 unprotected',
      { o: { [`${BRIDGE}gateway_mode_ipv4`]: 'nat-unprotected' } },
      { policy: 'closed', unprotected: [4], masquerade: { except: [], to: {} } },
    ],
    ['to be shared, as a network of CNI', { shared: 'web' }, { policy: 'open' }],
    ['to be shared and closed', { shared: 'web', o: { [`${BRIDGE}gateway_mode_ipv4`]: 'nat' } }, { policy: 'closed' }],
  ];
  for (const [what, asked, expected] of modes) {
    it(`set the packet filter's options: ${what}`, () => {
      const found = rulesOf(asked);
      for (const key of Object.keys(expected) as (keyof FirewallOptions)[])
        assert.deepEqual(found[key], expected[key], key);
    });
  }

  it("the null driver has no options, and Docker's null IPAM has no subnet", () => {
    assert.deepEqual(specOf({ o: { driver: 'null' }, backend: 'none' }), {
      options: { driver: 'null' },
      ranges: [],
      routes: [],
    });
    const spec = specOf({ v4: [{ AddressSpace: 'null', Pool: '0.0.0.0/0', Gateway: '0.0.0.0/0' }] });
    assert.deepEqual([spec.ranges, spec.allocator], [[], undefined]);
  });

  it('encrypts where the option is there, whatever its form, and not where it is off', () => {
    const of = (o: object) => parseOptions({ driver: 'overlay', ...o }).overlay?.encrypted;
    assert.deepEqual([{}, { encrypted: '' }, { encrypted: 'on' }, { encrypted: 'true' }].map(of), [
      undefined,
      true,
      true,
      true,
    ]);
    assert.deepEqual([{ encrypted: 'off' }, { encrypted: 'false' }].map(of), [false, false]);
  });

  const wrong: readonly (readonly [string, Asked, NetError['kind'], ...RegExp[]])[] = [
    ['a misspelt option', { o: { brigde: 'x' } }, 'invalid-config', /-o brigde=x/, /Did you mean bridge\?/],
    ['an unknown option', { o: { colour: 'red' } }, 'invalid-config', /-o colour=red/, /Known are driver, network/],
    ['the driver host', { o: { driver: 'host' } }, 'unsupported-field', /docker run --network host/],
    ['a misspelt driver', { o: { driver: 'brigde' } }, 'invalid-config', /Did you mean bridge\?/],
    [
      'an unknown driver',
      { o: { driver: 'ovrlay' } },
      'invalid-config',
      /Did you mean overlay\?.*bridge, null, overlay/,
    ],
    ['an option of another driver', { o: { vni: '7' } }, 'invalid-config', /-o vni=7: only driver overlay/],
    ['an unknown mode', { o: { driver: 'overlay', mode: 'x' } }, 'invalid-config', /-o mode=x: it is not a mode/],
    [
      'a flood of a routed network',
      { o: { driver: 'overlay', mode: 'per-host', flood: 'on' } },
      'invalid-config',
      /-o flood=on: .*routed network/,
    ],
    ['a VNI of 25 bits', { o: { driver: 'overlay', vni: '16777216' } }, 'invalid-config', /Give 1 to 16777215/],
    ['a flood of no kind', { o: { driver: 'overlay', flood: 'x' } }, 'invalid-config', /-o flood=x: .*true nor false/],
    ['an encryption of no kind', { o: { driver: 'overlay', encrypted: 'aes' } }, 'invalid-config', /-o encrypted=aes/],
    ['encryption of another driver', { o: { encrypted: '' } }, 'invalid-config', /-o encrypted=: only driver overlay/],
    ['a malformed flag', { o: { [`${BRIDGE}enable_icc`]: 'no' } }, 'invalid-config', /enable_icc=no/, /true or false/],
    ['an MTU out of range', { o: { mtu: '12' } }, 'invalid-config', /-o mtu=12/, /68 to 65535/],
    ['an MTU in words', { o: { 'com.docker.network.driver.mtu': '1e3' } }, 'invalid-config', /driver\.mtu=1e3/],
    ['a long name', { o: { [`${BRIDGE}name`]: 'bridge-of-sixteen' } }, 'invalid-config', /longer than 15 bytes/],
    ['a name that is a path', { o: { bridge: 'a/b' } }, 'invalid-config', /-o bridge=a\/b/],
    ['a name with quotes', { o: { bridge: 'a"b' } }, 'invalid-config', /no interface name can have it/],
    [
      'two names',
      { o: { bridge: 'a', [`${BRIDGE}name`]: 'b' } },
      'invalid-config',
      /bridge\.name=b/,
      /bridge=a contradicts it/,
    ],
    ['an unknown mode', { o: { [`${BRIDGE}gateway_mode_ipv6`]: 'route' } }, 'invalid-config', /Did you mean routed\?/],
    [
      'a source of the other family',
      { o: { 'com.docker.network.host_ipv4': '::1' } },
      'invalid-config',
      /not an IPv4 address/,
    ],
    [
      'a source that no host has',
      { o: { 'com.docker.network.host_ipv4': '224.0.0.7' } },
      'invalid-config',
      /host_ipv4=224\.0\.0\.7: it is multicast/,
    ],
    [
      'a malformed binding',
      { o: { [`${BRIDGE}host_binding_ipv4`]: 'all' } },
      'invalid-config',
      /host_binding_ipv4=all/,
    ],
    [
      'a long prefix',
      { o: { 'com.docker.network.container_iface_prefix': 'thirteenbytes' } },
      'invalid-config',
      /12 bytes/,
    ],
    [
      'an invalid network name',
      { o: { network: '../x' } },
      'invalid-config',
      /-o network=\.\.\/x/,
      /not a network name/,
    ],
    [
      'names with commas',
      { o: { [`${BRIDGE}trusted_host_interfaces`]: 'eth0,a-long-name-1' } },
      'invalid-config',
      /trusted_host_interfaces=eth0,a-long-name-1/,
      /":" in between/,
    ],
    [
      'an interface that none can be',
      { o: { [`${BRIDGE}trusted_host_interfaces`]: 'eth0:eth+' } },
      'invalid-config',
      /"eth\+" has \+ where/,
    ],
    [
      'too many interfaces',
      { o: { [`${BRIDGE}trusted_host_interfaces`]: Array.from({ length: 17 }, (_, i) => `eth${i}`).join(':') } },
      'invalid-config',
      /it names 17 interfaces/,
      /16 at most/,
    ],
    ['a second subnet', { v4: [V4, { ...V4, Pool: '10.98.0.0/24' }] }, 'unsupported-field', /10\.98\.0\.0\/24/],
    ['a gateway outside', { v4: [{ ...V4, Gateway: '10.98.0.1/24' }] }, 'invalid-config', /--gateway 10\.98\.0\.1/],
    ['a host without a filter', { backend: 'none' }, 'unsupported', /neither nftables nor iptables/],
  ];
  for (const [what, asked, kind, ...words] of wrong) {
    it(`are rejected: ${what}`, () => {
      assert.throws(() => specOf(asked), refused(kind, ...words));
    });
  }

  it("trust interfaces of the host, in Docker's syntax", () => {
    const trusted = (value: string): unknown =>
      specOf({ o: { [`${BRIDGE}trusted_host_interfaces`]: value } }).rules?.options.trusted;
    assert.deepEqual(trusted('eth7'), ['eth7']);
    assert.deepEqual(trusted(':vxlan.1::eth3:eth3:'), ['vxlan.1', 'eth3']);
    for (const none of ['', ':']) assert.equal(trusted(none), undefined);
  });

  it('of newer Docker versions are ignored', () => {
    const o = { 'com.docker.network.bridge.later': 'eth7', 'com.docker.network.x.y': '1' };
    assert.deepEqual(specOf({ o }), specOf());
  });
});

describe('Docker port mappings', () => {
  const port = { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostPortEnd: 8080 } as const;

  it("bind to the network's host address unless they name their own", () => {
    assert.deepEqual(
      portRequests({ internal: false, hostBinding: '127.0.0.1' }, [port, { ...port, hostIp: addrOf('0.0.0.0') }]),
      [
        { ...port, hostIp: addrOf('127.0.0.1') },
        { ...port, hostIp: addrOf('0.0.0.0') },
      ],
    );
    assert.deepEqual(portRequests({ internal: false }, [port]), [port]);
  });

  it('are empty on an internal network', () => {
    assert.deepEqual(portRequests({ internal: true }, [port]), []);
  });
});
