import { strict as assert } from 'node:assert';
import { linkLocalOf } from '../../src/shared/model/mac.ts';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { advertisement, FramePort, icmp6, packet } from '../support/frames.ts';
import { BRIDGE_TYPES, type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';
import { makeNetns } from '../support/netns.ts';
import { ping } from '../support/ping.ts';
import { acceptRouterAdvertisements, defaultRoutes } from '../support/router.ts';
import { skipIf } from '../support/skip.ts';
import { waitFor } from '../support/test-host.ts';

const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

/** Why bridges cannot filter VLANs here, or undefined where they can. */
function vlanFilterMissing({ ns }: CniHost): string | undefined {
  try {
    ns.ip('link', 'add', 'isth-try', 'type', 'bridge', 'vlan_filtering', '1');
    ns.ip('link', 'delete', 'isth-try');
    return undefined;
  } catch {
    return 'this kernel has no VLAN filtering';
  }
}

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

      it('does not let a bridge that was there accept advertisements from pods', async () => {
        using host = makeHost(1, { forwarding: false });
        host.ns.ip('link', 'add', 'isth0', 'type', 'bridge');
        host.ns.ip('link', 'set', 'isth0', 'up');
        const listens = (device: string): string =>
          host.ns.run('sysctl', '-n', `net/ipv6/conf/${device}/accept_ra`).trim();
        assert.equal(listens('isth0'), '1');
        const off = bridgeConf(type, host, { conf: { spoofGuard: false } });
        host.ok({ dir: bin.path, name: type, command: 'ADD', pod: 0, config: off });
        assert.equal(listens('isth0'), '0');
        using port = new FramePort(host.pod(0), 'eth0');
        const pair = [linkLocalOf(port.mac), 'ff02::1'] as const;
        port.send(packet(port.mac, pair, 58, icmp6(pair, 134, advertisement('2001:db8:66::'))));
        // The bridge has taken the advertisement by the time that it answers.
        ping(host.pod(0), '10.88.0.1');
        assert.doesNotMatch(host.ns.ip('-6', 'route'), /proto ra/);
        assert.doesNotMatch(host.ns.ip('-6', 'addr'), /2001:db8:66:/);
      });

      it('lets a bridge that leads to a router keep its route', async () => {
        using host = makeHost(1, { forwarding: false });
        host.ns.ip('link', 'add', 'isth0', 'type', 'bridge');
        host.ns.run('sysctl', '-qw', 'net.ipv6.conf.isth0.accept_dad=0');
        host.ns.ip('link', 'set', 'isth0', 'up');
        using router = makeNetns('r');
        host.ns.ip('link', 'add', 'up1', 'type', 'veth', 'peer', 'name', 'r0', 'netns', router.name);
        host.ns.ip('link', 'set', 'up1', 'up', 'master', 'isth0');
        router.ip('link', 'set', 'r0', 'up');
        using port = new FramePort(router, 'r0');
        const pair = [linkLocalOf(port.mac), 'ff02::1'] as const;
        await waitFor('a route of the router', () => {
          port.send(packet(port.mac, pair, 58, icmp6(pair, 134, advertisement('2001:db8:77::'))));
          return defaultRoutes(host.ns).includes('proto ra');
        });
        const four = bridgeConf(type, host);
        host.ok({ dir: bin.path, name: type, command: 'ADD', pod: 0, config: four });
        assert.match(defaultRoutes(host.ns), /proto ra/);
        assert.equal(host.ns.run('sysctl', '-n', 'net/ipv6/conf/isth0/accept_ra').trim(), '1');
      });

      it("does not let a VLAN's gateway device accept advertisements from pods", function () {
        using host = makeHost(1, { forwarding: false });
        skipIf(this, vlanFilterMissing(host));
        const config = bridgeConf(type, host, { conf: { vlan: 100 } });
        host.ok({ dir: bin.path, name: type, command: 'ADD', pod: 0, config });
        assert.equal(host.ns.run('sysctl', '-n', 'net/ipv6/conf/isth0.100/accept_ra').trim(), '0');
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
