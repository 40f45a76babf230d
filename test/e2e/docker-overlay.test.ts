import { strict as assert } from 'node:assert';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { docker, dockerMissing, flushRules, loadImage, tryDocker } from '../support/docker.ts';
import { type DockerDaemons, makeDockerDaemons } from '../support/docker-daemons.ts';
import { useTestHost } from '../support/e2e.ts';
import { etcdMissing } from '../support/etcd.ts';
import { IMAGE } from '../support/image.ts';
import { makeOverlay, type Overlay } from '../support/overlay-site.ts';
import { skipIf } from '../support/skip.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';

const ADDRESS = '192.0.2.9';
const JOIN = ['--ipam-driver', 'isthmus', '--ipam-opt', 'network=web', '-o', 'network=web', '-o', 'driver=overlay'];
const ROOT = '/isthmus/test/v1/';
/** What a member of a cluster keeps. */
const KEPT = ['/var/lib/isthmus/cluster-copy', '/var/lib/isthmus/host-id'];

describe('a network of dockerd and of pods on another host', function () {
  this.timeout(180_000);
  describeOverlay(useTestHost());
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeOverlay(running: () => TestHost): void {
  describe('over VXLAN, with etcd', () => {
    let host: TestHost;
    let bin: DaemonBin;
    let overlay: Overlay;
    let daemons: DockerDaemons | undefined;

    before('etcd, a host with pods, and dockerd on another host', async function () {
      skipIf(this, dockerMissing() ?? etcdMissing());
      host = running();
      bin = daemonBin();
      overlay = await makeOverlay(bin, { hosts: 1 });
      await overlay.members[0]?.start();
      const { underlay, etcd } = overlay;
      underlay.ip('link', 'add', 'pd', 'type', 'veth', 'peer', 'name', 'un0');
      underlay.ip('link', 'set', 'un0', 'netns', host.outside('/run/isth/net'));
      underlay.ip('link', 'set', 'pd', 'master', 'sw0', 'up');
      host.run('ip', 'addr', 'add', `${ADDRESS}/24`, 'dev', 'un0');
      host.run('ip', 'link', 'set', 'un0', 'up');
      const config = { name: 'test', hostName: 'dock', etcd: { endpoints: etcd.endpoints }, underlay: 'un0' };
      host.write('/etc/isthmus/cluster.json', JSON.stringify(config));
      daemons = makeDockerDaemons(host);
      await daemons.startPlugin();
      await daemons.startDocker();
      loadImage(host);
    });

    after('all of them', async () => {
      await daemons?.stopDocker();
      await daemons?.stopPlugin();
      if (daemons !== undefined) flushRules(host);
      await overlay?.[Symbol.asyncDispose]();
      bin?.[Symbol.dispose]();
      const left = `umount -qR -l /run/isth/docker; rm -rf /run/isth/docker /etc/isthmus ${KEPT.join(' ')}`;
      host?.run('sh', '-c', `ip link delete docker0; ${left}`);
    });

    const keys = (): string[] =>
      overlay.etcd
        .ctl('get', '--prefix', '--keys-only', ROOT)
        .split('\n')
        .flatMap((key) => (key === '' ? [] : key.slice(ROOT.length)));
    const addresses = (): number => keys().filter((key) => key.startsWith('a/')).length;
    const answers = async (what: string, ping: () => boolean): Promise<void> => waitFor(what, ping);
    const fromPod = (address: string) => (): boolean => {
      try {
        overlay.members[0]?.site.host.pod(0).run('busybox', 'ping', '-c', '1', '-W', '1', address);
        return true;
      } catch {
        return false;
      }
    };
    const fromBox = (name: string, address: string) => (): boolean =>
      tryDocker(host, 'exec', name, 'ping', '-c', '1', '-W', '1', address).code === 0;
    const addressOf = (name: string): string =>
      docker(host, 'inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);

    it('a container and a pod ping each other, before and after both daemons were restarted', async () => {
      const member = overlay.members[0] ?? assert.fail('no host');
      const web = overlay.network('web', { mode: 'shared' });
      const [pod = ''] = member.add(0, web);
      docker(host, 'network', 'create', '-d', 'isthmus', ...JOIN, '--subnet', '10.100.0.0/16', 'dweb');
      docker(host, 'run', '-d', '--name', 'box', '--network', 'dweb', IMAGE);
      const box = addressOf('box');
      await answers('the container reaches the pod', fromBox('box', pod));
      await answers('the pod reaches the container', fromPod(box));
      assert.equal(addresses(), 2);
      assert.equal(docker(host, 'network', 'inspect', '-f', '{{.Scope}}', 'dweb'), 'local');

      await daemons?.killPlugin();
      assert.ok(fromPod(box)(), 'traffic goes on without the daemon');
      await daemons?.startPlugin();
      await daemons?.stopDocker();
      await daemons?.startDocker();
      docker(host, 'start', 'box');
      docker(host, 'run', '-d', '--name', 'late', '--network', 'dweb', IMAGE);
      for (const name of ['box', 'late']) {
        await answers(`${name} reaches the pod`, fromBox(name, pod));
        await answers(`the pod reaches ${name}`, fromPod(addressOf(name)));
      }

      docker(host, 'rm', '-f', 'box', 'late');
      await waitFor('their addresses are free in the cluster', () => addresses() === 1);
      docker(host, 'network', 'rm', 'dweb');
      member.del(0, web);
      await waitFor('nothing is left in etcd', () => keys().every((key) => !/^(a|r|u|net|name|vni)\//.test(key)));
      assert.doesNotMatch(host.run('ip', '-o', 'link'), /vx-|br-web|veth/);
    });

    it('mode per-host: the range and the gateway of this host, and the pods of the other', async () => {
      const member = overlay.members[0] ?? assert.fail('no host');
      const mode = { mode: 'per-host' };
      const web = overlay.network('web', mode);
      const [pod = ''] = member.add(0, web);
      const asked = ['--ipam-opt', 'mode=per-host', '-o', 'mode=per-host', '--subnet', '10.100.0.0/16'];
      docker(host, 'network', 'create', '-d', 'isthmus', ...JOIN, ...asked, 'routed');
      const config = docker(host, 'network', 'inspect', '-f', '{{json .IPAM.Config}}', 'routed');
      assert.match(config, /"Subnet":"10\.100\.0\.0\/16"/);
      docker(host, 'run', '-d', '--name', 'box', '--network', 'routed', IMAGE);
      const box = addressOf('box');
      assert.notEqual(box.replace(/\.\d+$/, ''), pod.replace(/\.\d+$/, ''), 'a range of its own');
      await answers('the container reaches the pod', fromBox('box', pod));
      await answers('the pod reaches the container', fromPod(box));
      const routes = docker(host, 'exec', 'box', 'ip', 'route');
      const gateway = box.replace(/\.\d+$/, '.1');
      assert.match(routes, new RegExp(`^default via ${gateway} `, 'm'));
      assert.match(routes, new RegExp(`^10\\.100\\.0\\.0/16 via ${gateway} `, 'm'));
      await daemons?.stopDocker();
      await daemons?.startDocker();
      docker(host, 'start', 'box');
      await answers('the pod reaches it after a restart', fromPod(addressOf('box')));
      docker(host, 'rm', '-f', 'box');
      docker(host, 'network', 'rm', 'routed');
      member.del(0, web);
      await waitFor('nothing is left in etcd', () => keys().every((key) => !/^(a|r|u|net|name|vni)\//.test(key)));
      assert.doesNotMatch(host.run('ip', '-o', 'link'), /vx-|br-web|veth/);
    });
  });
}
