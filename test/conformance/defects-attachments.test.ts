import { strict as assert } from 'node:assert';
import { assertSame } from '../support/snapshot.ts';
import { type Caller, conf, defect } from './defect.ts';
import { masquerading } from './reference-rules.ts';

/** Two networks on one bridge share a subnet only in parts. */
const LOWER = { ranges: [[{ subnet: '10.88.0.0/24', rangeEnd: '10.88.0.99' }]] };
const UPPER = { ranges: [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.100' }]] };
const COLLIDING_NETWORKS = [
  ['web1', '0'],
  ['web', '10'],
] as const;
/** Pairs of (network, container, interface) whose parts are the same text when written one after the other. */
const COLLISIONS = [
  [
    ['web', 'a', 'beth0'],
    ['web', 'ab', 'eth0'],
  ],
  [
    ['web1', '0', 'eth0'],
    ['web', '10', 'eth0'],
  ],
] as const;

const BACKENDS = ['iptables', 'nftables'] as const;
type Backend = (typeof BACKENDS)[number];

defect('D16', 'masquerading', {
  pods: 2,
  reference: {
    '1.1.1': (caller) => {
      // It does not know ipMasqBackend.
      for (const backend of BACKENDS) assert.deepEqual(leaveOneInterface(caller, backend), [], backend);
    },
    '1.9.1': (caller) => {
      assert.deepEqual(leaveOneInterface(caller, 'iptables'), []);
      assert.equal(leaveOneInterface(caller, 'nftables').length, 1);
    },
  },
  ours: ({ host, ...how }) => {
    const config = conf(how, host, { routes: [] }, { ipMasq: true });
    const before = host.snapshot();
    const kept = host.ok({ ...how, command: 'ADD', pod: 0, ifName: 'eth0', config });
    const withOne = host.snapshot();
    host.ok({ ...how, command: 'ADD', pod: 0, ifName: 'eth1', config });
    host.ok({ ...how, command: 'DEL', pod: 0, ifName: 'eth1', config });
    assertSame(host.snapshot(), withOne);
    host.ok({ ...how, command: 'CHECK', pod: 0, ifName: 'eth0', config: { ...config, prevResult: kept } });
    host.ok({ ...how, command: 'DEL', pod: 0, ifName: 'eth0', config });
    assertSame(host.snapshot(), before);
  },
});

defect('D16', 'identities that are the same text when concatenated', {
  pods: 2,
  reference: {
    '1.1.1': (caller) => {
      for (const backend of BACKENDS) assert.deepEqual(leaveOneNetwork(caller, backend), [], backend);
    },
    '1.9.1': (caller) => {
      assert.deepEqual(leaveOneNetwork(caller, 'iptables'), []);
      assert.equal(leaveOneNetwork(caller, 'nftables').length, 1);
    },
  },
  ours: ({ host, ...how }) => {
    const before = host.snapshot();
    for (const [[networkA, idA, ifA], [networkB, idB, ifB]] of COLLISIONS) {
      const first = {
        containerId: idA,
        ifName: ifA,
        config: { ...conf(how, host, LOWER, { ipMasq: true }), name: networkA },
      };
      const other = {
        containerId: idB,
        ifName: ifB,
        config: { ...conf(how, host, networkA === networkB ? LOWER : UPPER, { ipMasq: true }), name: networkB },
      };
      const kept = host.ok({ ...how, command: 'ADD', pod: 0, ...first });
      host.ok({ ...how, command: 'ADD', pod: 1, ...other });
      host.ok({ ...how, command: 'DEL', pod: 1, ...other });
      host.ok({ ...how, command: 'CHECK', pod: 0, ...first, config: { ...first.config, prevResult: kept } });
      host.ok({ ...how, command: 'DEL', pod: 0, ...first });
      assertSame(host.snapshot(), before);
    }
  },
});

/** The masquerading that a container keeps after it has lost its second interface. */
function leaveOneInterface({ host, ...how }: Caller, ipMasqBackend: Backend): string[] {
  const config = conf(how, host, { routes: [] }, { ipMasq: true, ipMasqBackend });
  const pod = BACKENDS.indexOf(ipMasqBackend);
  for (const ifName of ['eth0', 'eth1']) host.ok({ ...how, command: 'ADD', pod, ifName, config });
  assert.notDeepEqual(masquerading(host), []);
  host.run({ ...how, command: 'DEL', pod, ifName: 'eth1', config });
  return masquerading(host);
}

/** The masquerading of one network's container after the other network's has gone. */
function leaveOneNetwork({ host, ...how }: Caller, ipMasqBackend: Backend): string[] {
  const [kept, gone] = COLLIDING_NETWORKS.map(([name, containerId], pod) => ({
    ...{ ...how, containerId, pod, ifName: ipMasqBackend === 'iptables' ? 'eth0' : 'eth1' },
    config: { ...conf(how, host, { routes: [] }, { ipMasq: true, ipMasqBackend }), name },
  }));
  assert.ok(kept !== undefined && gone !== undefined);
  for (const call of [kept, gone]) host.ok({ ...call, command: 'ADD' });
  host.run({ ...gone, command: 'DEL' });
  return masquerading(host);
}
