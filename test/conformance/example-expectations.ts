import { strict as assert } from 'node:assert';
import { binDir, referencePath } from '../support/e2e.ts';
import type { TestHost } from '../support/test-host.ts';
import { leaseByDhcp } from './example-dhcp.ts';
import { DRIVER_EXPECTATIONS } from './example-drivers.ts';
import type { Expectation } from './example-expectation.ts';
import { FIREWALL_EXPECTATIONS } from './example-firewall.ts';
import { hearFrom, meet, type Pod, serve } from './example-lab.ts';
import { makeOutside, UPLINK } from './example-outside.ts';

export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  ...DRIVER_EXPECTATIONS,
  ...FIREWALL_EXPECTATIONS,
  bridge: {
    what: 'pods, host and outside reach each other, with the address, the MAC and the port that were asked for',
    run(lab) {
      using outside = makeOutside(lab);
      const a = lab.add();
      const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
      const b = lab.add({
        portMappings,
        ips: ['10.77.7.7'],
        mac: '02:00:5e:10:00:07',
        dns: { servers: ['10.77.0.1'] },
      });
      assert.deepEqual([...a.addresses, ...b.addresses], ['10.77.0.2', '10.77.7.7']);
      assert.match(b.run('ip', 'link', 'show', 'eth0'), /link\/ether 02:00:5e:10:00:07 /);
      assert.deepEqual(b.result.dns, { nameservers: ['10.77.0.1'] });
      assert.match(a.run('ip', 'route'), /^default via 10\.77\.0\.1 dev eth0/m);
      meet(a, b);
      a.pings('10.77.0.1');
      lab.host.run('busybox', 'ping', '-c1', '-W2', '10.77.7.7');
      const [ours, theirs] = [UPLINK.host[0], UPLINK.outside[0]];
      outside.hearsOnly(theirs, ours);
      a.pings(theirs);
      serve(b, 80);
      assert.equal(hearFrom(outside.pod, ours, 8080), 'hello\n');
      for (const pod of [a, b]) lab.delete(pod);
    },
  },
  'bridge-l2': {
    what: 'pods are on one wire and may give themselves addresses; the host is not on it',
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      assert.deepEqual(a.result.ips ?? [], []);
      for (const pod of [a, b]) {
        assert.match(pod.run('ip', 'link', 'show', 'eth0'), /state UP/);
        assert.equal(addressesOf(pod), '');
        assert.equal(pod.run('ip', 'route'), '');
      }
      assert.doesNotMatch(lab.host.run('ip', '-o', 'addr', 'show', 'dev', 'isth-wire'), /scope global/);
      a.run('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'eth0');
      b.run('ip', 'addr', 'add', '192.0.2.2/24', 'dev', 'eth0');
      meet(a, b, '192.0.2.2');
    },
  },
  'delegated-host-local': {
    what: "the addresses are the reference's host-local's, recorded as its files",
    path: [referencePath, binDir],
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      assert.deepEqual([...a.addresses, ...b.addresses], ['10.92.0.2', '10.92.0.3']);
      const files = () => lab.host.run('find', '/run/isthmus-files/files', '-name', '10.*').trim().split('\n').sort();
      assert.deepEqual(files(), ['/run/isthmus-files/files/10.92.0.2', '/run/isthmus-files/files/10.92.0.3']);
      meet(a, b);
      a.pings('10.92.0.1');
      for (const pod of [a, b]) lab.delete(pod);
      assert.deepEqual(files(), ['']);
    },
  },
  'delegated-ipam': {
    what: 'the addresses are leased by a DHCP server on the network and given back',
    path: [binDir, referencePath],
    run: leaseByDhcp,
  },
  'drop-in': {
    what: "a configuration of the reference's works unchanged",
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      assert.deepEqual([...a.addresses, ...b.addresses], ['10.85.0.2', '10.85.0.3']);
      assert.match(a.run('ip', 'route'), /^default via 10\.85\.0\.1 dev eth0/m);
      meet(a, b);
      a.pings('10.85.0.1');
    },
  },
  'dual-stack': {
    what: 'both families work at once, with a default route of each',
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      for (const address of b.addresses) a.pings(address);
      assert.deepEqual(b.addresses, ['10.89.0.3', 'fd00:89::3']);
      a.pings('fd00:89::1');
      a.pings('10.89.0.1');
      assert.match(a.run('ip', 'route'), /^default via 10\.89\.0\.1 dev eth0/m);
      assert.match(a.run('ip', '-6', 'route'), /^default via fd00:89::1 dev eth0/m);
    },
  },
  host: {
    what: "containers have the host's network and meet on localhost; a pod is refused",
    run(lab) {
      lab.host.run('ip', 'link', 'add', 'lan0', 'type', 'bridge');
      lab.host.run('ip', 'addr', 'add', '192.0.2.9/24', 'dev', 'lan0');
      try {
        const [a, b] = [lab.addAt('/run/isth/net'), lab.addAt('/run/isth/net')];
        assert.deepEqual(a.addresses, ['192.0.2.9']);
        meet(a, b, '127.0.0.1');
        assert.throws(() => lab.add(), /"code": 8,[^}]*CNI_NETNS=\/run\/netns\/pod0/);
      } finally {
        lab.host.run('ip', 'link', 'delete', 'lan0');
      }
    },
  },
  'isolated-ports': {
    what: 'pods reach the host and not each other',
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      a.pings('10.95.0.1');
      b.pings('10.95.0.1');
      a.cannotPing(b.addresses[0]);
    },
  },
  'mac-spoof-guard': {
    what: 'a pod that changes its MAC address is not heard until it changes back',
    run(lab) {
      const [a, b] = [lab.add(), lab.add({ mac: '02:00:5e:10:00:09' })];
      const setMac = (mac: string): string => b.run('ip', 'link', 'set', 'eth0', 'address', mac);
      b.pings(a.addresses[0]);
      setMac('02:00:5e:10:00:0a');
      b.cannotPing(a.addresses[0]);
      setMac('02:00:5e:10:00:09');
      b.pings(a.addresses[0]);
      const rules = lab.host.run('nft', 'list', 'table', 'bridge', 'isthmus');
      assert.equal(rules.match(/02:00:5e:10:00:09/g)?.length, 1);
    },
  },
  null: {
    what: 'a pod has its loopback and nothing else',
    run(lab) {
      for (const pod of [lab.add(), lab.add()]) {
        assert.match(pod.run('ip', '-o', 'link'), /^1: lo: <LOOPBACK,UP,LOWER_UP>[^\n]*\n$/);
        assert.deepEqual(
          pod.result.interfaces?.map(({ name }) => name),
          ['lo'],
        );
        assert.deepEqual(pod.addresses, ['127.0.0.1', '::1']);
        pod.pings('127.0.0.1');
        pod.pings('::1');
        pod.cannotPing('10.77.0.1');
      }
    },
  },
  'route-options': {
    what: 'the options of a route are in the kernel',
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      assert.deepEqual([...a.addresses, ...b.addresses], ['10.96.0.100', '10.96.0.101']);
      const routes = a.run('ip', 'route');
      assert.match(routes, /^default via 10\.96\.0\.254 dev eth0 $/m);
      assert.match(routes, /^172\.31\.0\.0\/16 via 10\.96\.0\.254 dev eth0 metric 50 mtu 1300 advmss 1260 $/m);
      assert.match(a.run('ip', 'link', 'show', 'eth0'), / mtu 1400 /);
      meet(a, b);
      a.pings('10.96.0.254');
    },
  },
  'static-addresses': {
    what: 'a pod has the addresses that its runtime names, and the route',
    run(lab) {
      const router = lab.add({ ips: ['10.90.0.254/24'] });
      const a = lab.add({ ips: ['10.90.0.10/24', '10.90.0.11/24'] });
      assert.deepEqual(a.addresses, ['10.90.0.10', '10.90.0.11']);
      assert.match(addressesOf(a), /10\.90\.0\.10\/24 .*\n.*10\.90\.0\.11\/24 /);
      assert.match(a.run('ip', 'route'), /^172\.30\.0\.0\/16 via 10\.90\.0\.254 dev eth0/m);
      meet(a, router);
    },
  },
  'two-ranges': {
    what: 'the second range serves when the first is used up',
    run(lab) {
      const pods = [lab.add(), lab.add(), lab.add()];
      const asked = lab.add({ ips: ['10.91.8.200'] });
      const addresses = [...pods, asked].flatMap((pod) => pod.addresses);
      assert.deepEqual(addresses, ['10.91.0.10', '10.91.0.11', '10.91.8.0', '10.91.8.200']);
      for (const address of addresses.slice(1)) pods[0]?.pings(address);
    },
  },
  vlan: {
    what: 'pods of one VLAN meet, others do not hear them',
    missing: (host) =>
      filtersVlans(host) ? undefined : 'this kernel has no VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)',
    run(lab) {
      const [a, b] = [lab.add(), lab.add()];
      meet(a, b);
      const ports = lab.host.run('bridge', '-compressvlans', 'vlan', 'show');
      assert.equal(ports.match(/veth\S+ +100 PVID Egress Untagged/g)?.length, 2);
      assert.equal(ports.match(/ 200\n/g)?.length, 2);
      assert.equal(ports.match(/ 300-310\n/g)?.length, 2);
      assert.doesNotMatch(ports, /^veth\S+ +1 /m);
    },
  },
};

/** The addresses of the pod's eth0, without link-local ones. */
function addressesOf(pod: Pod): string {
  return pod.run('ip', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'global').trim();
}

function filtersVlans(host: TestHost): boolean {
  const made = host.attempt(['ip', 'link', 'add', 'isth-try', 'type', 'bridge', 'vlan_filtering', '1']).code === 0;
  host.attempt(['ip', 'link', 'delete', 'isth-try']);
  return made;
}
