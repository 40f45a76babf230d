import { strict as assert } from 'node:assert';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { BRIDGE_TYPES, type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';
import { acceptRouterAdvertisements, defaultRoutes } from '../support/router.ts';
import { waitFor } from '../support/test-host.ts';

const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

/** A host that forwards takes no router advertisements unless accept_ra is 2 (ip-sysctl.rst, accept_ra). */
describe('a host whose IPv6 default route comes from router advertisements', function () {
  this.timeout(180_000);
  let bin: PluginDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());

  const conf = (type: BridgeType, host: CniHost): NetConf =>
    bridgeConf(type, host, { ipam: DUAL_STACK, conf: { ipMasq: true } });
  const add = (host: CniHost, dir: string, type: BridgeType): void => {
    host.ok({ dir, name: type, command: 'ADD', pod: 0, config: conf(type, host) });
    assert.equal(host.ns.run('sysctl', '-n', 'net.ipv6.conf.all.forwarding').trim(), '1');
  };
  /** The kernel asks three times, four seconds apart (rtr_solicitations). */
  const learns = (host: CniHost, what: string): Promise<void> =>
    waitFor(what, () => defaultRoutes(host.ns).includes('proto ra'), 30_000);
  /** The kernel asks for an advertisement when the link comes up again. */
  const flap = (host: CniHost): void => {
    host.ns.ip('link', 'set', 'up0', 'down');
    assert.equal(defaultRoutes(host.ns), '');
    host.ns.ip('link', 'set', 'up0', 'up');
  };

  it('the reference loses the route for good', async () => {
    using host = makeHost(1, { forwarding: false });
    using _router = await acceptRouterAdvertisements(host.ns);
    add(host, referenceDir, 'bridge');
    assert.equal(defaultRoutes(host.ns), '');
    flap(host);
    await assert.rejects(waitFor('a default route', () => defaultRoutes(host.ns) !== '', 2_000));
  });

  for (const type of BRIDGE_TYPES) {
    describe(`${type} turns on forwarding`, () => {
      it('keeps the route, and gets it again when the link comes back', async () => {
        using host = makeHost(1, { forwarding: false });
        using _router = await acceptRouterAdvertisements(host.ns);
        add(host, bin.path, type);
        assert.match(defaultRoutes(host.ns), /proto ra/);
        flap(host);
        await learns(host, 'the default route after the link was down');
        host.ok({ dir: bin.path, name: type, command: 'DEL', pod: 0, config: conf(type, host) });
        flap(host);
        await learns(host, 'the default route after DEL');
      });

      it('gets the route when the router advertises only later', async () => {
        using host = makeHost(1, { forwarding: false });
        using _router = await acceptRouterAdvertisements(host.ns, () => add(host, bin.path, type));
        assert.match(defaultRoutes(host.ns), /proto ra/);
      });

      it('does not make an uplink accept advertisements that did not before', async () => {
        using host = makeHost(1, { forwarding: false });
        host.ns.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'r0');
        host.ns.run('sysctl', '-qw', 'net.ipv6.conf.up0.accept_ra=0');
        host.ns.ip('link', 'set', 'up0', 'up');
        host.ns.ip('link', 'set', 'r0', 'up');
        add(host, bin.path, type);
        assert.equal(host.ns.run('sysctl', '-n', 'net.ipv6.conf.up0.accept_ra').trim(), '0');
      });

      it('does not let the bridge accept advertisements from pods', async () => {
        using host = makeHost(1, { forwarding: false });
        using _router = await acceptRouterAdvertisements(host.ns);
        add(host, bin.path, type);
        const bridge = String(conf(type, host).bridge);
        assert.equal(host.ns.run('sysctl', '-n', `net.ipv6.conf.${bridge}.accept_ra`).trim(), '0');
      });
    });
  }
});
