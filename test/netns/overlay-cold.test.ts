import { strict as assert } from 'node:assert';
import type { RemoteEndpoint, RemoteHost, RemoteNetwork } from '../../src/shared/core/remote/remote.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { netnsMissing, withNetns } from '../support/netns.ts';
import { equalise, lackOf, PER_HOST, remoteDevices, SHARED } from '../support/remote.ts';
import { skipIf } from '../support/skip.ts';

const tail = (n: number): string => `${n >> 8}.${n & 255}`;
const mac = (n: number): string =>
  `0a:58:0a:58:${[n >> 8, n & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;

/** So many dual-stack endpoints on 100 hosts. */
function endpoints(count: number): RemoteNetwork {
  const some = Array.from({ length: count }, (_, i): RemoteEndpoint => {
    const addresses = [`10.88.${tail(i)}`, `fd00:88::1:${i.toString(16)}`];
    return { addresses, mac: mac(i), host: `192.0.2.${10 + (i % 100)}` };
  });
  return { ...SHARED, endpoints: some };
}

function hosts(count: number): RemoteNetwork {
  const some = Array.from({ length: count }, (_, i): RemoteHost => {
    const ranges = [`10.${100 + (i >> 8)}.${i & 255}.0/24`, `fd00:88:${(i + 1).toString(16)}::/64`];
    return { ranges, mac: mac(i), host: `198.51.${tail(i)}` };
  });
  return { ...PER_HOST, hosts: some };
}

function took(work: () => void): number {
  const start = performance.now();
  work();
  return Math.round(performance.now() - start);
}

describe('tables of many remote ends', function () {
  this.timeout(60_000);

  for (const [name, network] of [
    ['1,000 endpoints', endpoints(1_000)],
    ['1,000 hosts', hosts(1_000)],
  ] as const) {
    it(`hold ${name} from cold, and nothing else after them`, function () {
      skipIf(this, netnsMissing());
      withNetns(1, ({ path, ip }) => {
        // Without any address of IPv4, the kernel takes a gateway for a broadcast address.
        ip('link', 'set', 'lo', 'up');
        using host = openLinuxHost();
        using ns = host.open(path);
        host.apply(remoteDevices(network), { host: ns });
        const cold = took(() => assert.equal(String(equalise(network, host, ns)[0]), 'undefined'));
        const same = took(() => assert.deepEqual(lackOf(network, host, ns), []));
        const empty = network.mode === 'shared' ? { ...network, endpoints: [] } : { ...network, hosts: [] };
        const gone = took(() => assert.deepEqual(equalise(empty, host, ns), []));
        assert.deepEqual(lackOf(empty, host, ns), []);
        console.log(`      ${name}: ${cold} ms from cold, ${same} ms to compare, ${gone} ms to delete`);
      });
    });
  }

  it('grow in FakeHost as their number does', () => {
    const times = [1_000, 8_000].map((count) => {
      const host = new FakeHost();
      host.apply(remoteDevices(SHARED), { host: host.own });
      return took(() => assert.deepEqual(equalise(endpoints(count), host, host.own), []));
    });
    console.log(`      FakeHost: ${times.join(' ms for 1,000 endpoints, ')} ms for 8,000`);
  });
});
