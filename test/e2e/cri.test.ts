import { strict as assert } from 'node:assert';
import { importImage, SOCKET, startContainerd } from '../support/containerd.ts';
import { type Kubelet, openCri, type PodRequest } from '../support/cri.ts';
import { reference, useTestHost } from '../support/e2e.ts';
import { hear, say } from '../support/image.ts';
import { EXAMPLES, installNetwork, removeNetworks } from '../support/networks.ts';
import type { Daemon, TestHost } from '../support/test-host.ts';

const READY = 0;
const NOT_READY = 1;

describe('pods through the container runtime interface of containerd', function () {
  this.timeout(60_000);
  const running = useTestHost();
  let host: TestHost;
  let containerd: Daemon;
  let kubelet: Kubelet;
  const clients = new DisposableStack();

  const connect = async (): Promise<void> => {
    containerd = await startContainerd(host);
    kubelet = clients.use(openCri(host.outside(SOCKET)));
  };
  const restart = async (): Promise<void> => {
    await containerd.stop();
    await connect();
  };
  const pod = (name: string): PodRequest => ({ name, cgroupParent: `/${host.name}` });
  const networkBecomes = async (wanted: boolean | RegExp): Promise<void> => {
    let problem: string | undefined;
    for (let i = 0; i < 100; i++) {
      problem = await kubelet.networkProblem();
      if (wanted instanceof RegExp ? wanted.test(problem ?? '') : (problem === undefined) === wanted) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail(`the runtime says of the network: ${problem ?? 'ready'}`);
  };
  /** containerd 2 asks plugins for STATUS, and the network is ready only while they answer well. */
  const asksForStatus = (): boolean => !/^containerd \S+ v?1\./.test(host.run('containerd', '--version'));
  /** containerd has read what `install` installs, and nothing of before. */
  const configure = async <T>(install: () => T): Promise<T> => {
    removeNetworks(host);
    await networkBecomes(false);
    const installed = install();
    await networkBecomes(true);
    return installed;
  };
  const veths = (): unknown => JSON.parse(host.run('ip', '-j', 'link', 'show', 'type', 'veth'));

  before(async () => {
    host = running();
    await connect();
    importImage(host, 'k8s.io');
  });

  after(() => clients.dispose());

  for (const example of EXAMPLES) {
    it(`runs two pods on the example ${example}, which reach each other and leave nothing`, async () => {
      await configure(() => installNetwork(host, example));
      const ids = await Promise.all([kubelet.runPod(pod('p1')), kubelet.runPod(pod('p2'))]);
      const [one, two] = ids;
      const [{ ip: ip1 }, { ip: ip2, state }] = await Promise.all([kubelet.podStatus(one), kubelet.podStatus(two)]);
      assert.equal(state, READY);
      assert.notEqual(ip1, ip2);

      const a = await kubelet.runContainer(one, pod('p1'), 'a');
      const b = await kubelet.runContainer(two, pod('p2'), 'b');
      assert.match(await kubelet.exec(a, 'ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0'), new RegExp(`inet ${ip1}/`));
      assert.match(await kubelet.exec(b, 'ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0'), new RegExp(`inet ${ip2}/`));
      assert.match(await kubelet.exec(a, 'ip', 'addr', 'show', 'dev', 'lo'), /inet 127\.0\.0\.1\/8/);
      await kubelet.exec(a, 'ping', '-c', '1', '-W', '2', ip2);
      await kubelet.exec(b, 'ping', '-c', '1', '-W', '2', ip1);
      const talk = kubelet.exec(b, ...say('from p2', 8080));
      assert.equal(await kubelet.exec(a, ...hear(ip2, 8080)), 'from p2');
      await talk;

      await kubelet.stopPod(one);
      assert.equal((await kubelet.podStatus(one)).state, NOT_READY);
      // From here on the runtime asks for DEL with CNI_NETNS empty and without prevResult.
      await kubelet.stopPod(one);
      await kubelet.stopPod(two);
      for (const id of ids) await kubelet.removePod(id);
      assert.deepEqual(veths(), []);
    });
  }

  it('lets two containers of one pod share its namespace and meet on localhost', async () => {
    await configure(() => installNetwork(host));
    const id = await kubelet.runPod(pod('shared'));
    const [a, b] = [
      await kubelet.runContainer(id, pod('shared'), 'a'),
      await kubelet.runContainer(id, pod('shared'), 'b'),
    ];
    const links = ['ip', '-o', 'link'];
    assert.equal(await kubelet.exec(a, ...links), await kubelet.exec(b, ...links));
    const talk = kubelet.exec(a, ...say('hello', 8080));
    assert.equal(await kubelet.exec(b, ...hear('127.0.0.1', 8080)), 'hello');
    await talk;
    await kubelet.stopPod(id);
    await kubelet.removePod(id);
  });

  it('keeps pods connected across a restart of containerd, and deletes them afterwards', async () => {
    await configure(() => installNetwork(host));
    const ids = [await kubelet.runPod(pod('r1')), await kubelet.runPod(pod('r2'))] as const;
    const a = await kubelet.runContainer(ids[0], pod('r1'), 'a');
    const { ip } = await kubelet.podStatus(ids[1]);
    await restart();
    await networkBecomes(true);
    assert.deepEqual(await kubelet.podStatus(ids[1]), { state: READY, ip });
    await kubelet.exec(a, 'ping', '-c', '1', '-W', '2', ip);
    await kubelet.stopPod(ids[0]);
    await kubelet.stopPod(ids[1]);
    await restart();
    for (const id of ids) await kubelet.removePod(id);
    assert.deepEqual(veths(), []);
  });

  it('runs and stops eight pods at once, each with its own address', async () => {
    await configure(() => installNetwork(host));
    const names = Array.from({ length: 8 }, (_, i) => `n${i}`);
    const ids = await Promise.all(names.map((name) => kubelet.runPod(pod(name))));
    const addresses = await Promise.all(ids.map(async (id) => (await kubelet.podStatus(id)).ip));
    assert.equal(new Set(addresses).size, names.length, addresses.join(' '));
    for (const address of addresses) host.run('busybox', 'ping', '-c', '1', '-W', '2', address);
    await Promise.all(ids.map((id) => kubelet.stopPod(id)));
    await Promise.all(ids.map((id) => kubelet.removePod(id)));
    assert.deepEqual(veths(), []);
  });

  it('says why a pod cannot have its network, and runs it once it can', async function () {
    // The reference refuses DEL for the same reason, and containerd then keeps the pod's name for ever.
    if (reference) this.skip();
    removeNetworks(host);
    await networkBecomes(false);
    installNetwork(host, 'bridge', { subnet: '10.88.0.0/33' });
    await networkBecomes(asksForStatus() ? /10\.88\.0\.0\/33/ : true);
    await assert.rejects(kubelet.runPod(pod('p')), /10\.88\.0\.0\/33/);
    assert.deepEqual(veths(), []);
    await configure(() => installNetwork(host));
    const id = await kubelet.runPod(pod('p'));
    await kubelet.stopPod(id);
    await kubelet.removePod(id);
  });
});
