import { strict as assert } from 'node:assert';
import type { Expectation } from './example-expectation.ts';
import { hearFrom, meet, serve } from './example-lab.ts';
import { makeOutside, UPLINK } from './example-outside.ts';

/** The examples of drivers that have no bridge. */
export const DRIVER_EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  macvlan: {
    what: 'pods are machines of the network behind the parent, and the host is not among them',
    run(lab) {
      const { host } = lab;
      const router = lab.emptyPod();
      const name = router.container.netns.replace('/run/netns/', '');
      host.run('ip', 'link', 'add', 'eth0', 'up', 'type', 'veth', 'peer', 'name', 'lan0', 'netns', name);
      try {
        host.run('ip', 'addr', 'add', '10.98.0.2/24', 'dev', 'eth0');
        router.run('ip', 'addr', 'add', '10.98.0.1/24', 'dev', 'lan0');
        router.run('ip', 'link', 'set', 'lan0', 'up');
        const [a, b] = [lab.add(), lab.add({ mac: '02:00:5e:10:00:98' })];
        assert.deepEqual([...a.addresses, ...b.addresses], ['10.98.0.100', '10.98.0.101']);
        assert.match(b.run('ip', 'link', 'show', 'eth0'), /link\/ether 02:00:5e:10:00:98 /);
        assert.match(a.run('ip', 'route'), /^default via 10\.98\.0\.1 dev eth0/m);
        meet(a, b);
        a.pings('10.98.0.1');
        router.pings(a.addresses[0]);
        a.cannotPing('10.98.0.2');
        for (const pod of [a, b]) lab.delete(pod);
      } finally {
        host.run('ip', 'link', 'delete', 'eth0');
      }
    },
  },
  'macvlan-host-access': {
    what: 'pods are machines of the network behind the parent, and the host and they reach each other',
    run(lab) {
      const { host } = lab;
      const router = lab.emptyPod();
      const name = router.container.netns.replace('/run/netns/', '');
      host.run('ip', 'link', 'add', 'eth0', 'up', 'type', 'veth', 'peer', 'name', 'lan0', 'netns', name);
      try {
        host.run('ip', 'addr', 'add', '10.103.0.2/24', 'dev', 'eth0');
        router.run('ip', 'addr', 'add', '10.103.0.1/24', 'dev', 'lan0');
        router.run('ip', 'link', 'set', 'lan0', 'up');
        const [a, b] = [lab.add(), lab.add({ ips: ['10.103.0.222'] })];
        assert.deepEqual([...a.addresses, ...b.addresses], ['10.103.0.192', '10.103.0.222']);
        assert.match(host.run('ip', 'route'), /^10\.103\.0\.192\/27 dev shim/m);
        meet(a, b);
        for (const address of ['10.103.0.1', '10.103.0.2', '10.103.0.223']) a.pings(address);
        for (const address of ['10.103.0.192', '10.103.0.222']) host.run('busybox', 'ping', '-c1', '-W2', address);
        for (const pod of [a, b]) lab.delete(pod);
        assert.doesNotMatch(host.run('ip', 'link'), /shim/);
      } finally {
        host.run('ip', 'link', 'delete', 'eth0');
      }
    },
  },
  ptp: {
    what: 'pods, host and outside reach each other, with the port that was asked for',
    run(lab) {
      using outside = makeOutside(lab);
      const [ours, theirs] = [UPLINK.host[0], UPLINK.outside[0]];
      const a = lab.add();
      const b = lab.add({ portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] });
      assert.deepEqual([...a.addresses, ...b.addresses], ['10.99.0.2', '10.99.0.3']);
      meet(a, b);
      a.pings('10.99.0.1');
      lab.host.run('busybox', 'ping', '-c1', '-W2', '10.99.0.3');
      outside.hearsOnly(theirs, ours);
      a.pings(theirs);
      serve(b, 80);
      assert.equal(hearFrom(outside.pod, ours, 8080), 'hello\n');
      for (const pod of [a, b]) lab.delete(pod);
    },
  },
};
