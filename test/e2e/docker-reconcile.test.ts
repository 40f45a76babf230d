import { strict as assert } from 'node:assert';
import { docker, dockerMissing, flushRules, loadImage, startDocker, tryDocker } from '../support/docker.ts';
import { type DockerContainer, type DockerNetwork, startDockerPlugin } from '../support/docker-site.ts';
import { hostState, useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Daemon, type TestHost, waitFor } from '../support/test-host.ts';

describe('reconciliation of dockerd and the daemon', function () {
  this.timeout(120_000);
  const missing = dockerMissing();
  if (missing !== undefined) {
    it(`needs dockerd: ${missing}`);
    return;
  }
  describeLosses(useTestHost());
});

const STATE = '/var/lib/isthmus';
const DATA = '/run/isth/docker';

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeLosses(running: () => TestHost): void {
  describe('after one lost its state', () => {
    let host: TestHost;
    let dockerd: Daemon;
    let daemon: Daemon;
    let clean: string;

    const log = (): string => host.attempt(['cat', '/run/isth/log/isthmus']).stdout;
    const count = (event: RegExp): number => [...log().matchAll(event)].length;
    /** The log of an earlier one is there still. */
    const startDaemon = async (): Promise<void> => {
      const starts = (): number => count(/event=daemon\.start /g);
      const before = starts();
      daemon = await startDockerPlugin(host);
      await waitFor('the daemon serves', () => starts() > before);
    };
    const stateOf = (): string => hostState(host).replace(/counter packets \d+ bytes \d+/g, 'counter');
    const hasLink = (name: string): boolean => host.attempt(['ip', 'link', 'show', name]).code === 0;
    const one = <T>(text: string): T => (JSON.parse(text) as [T])[0];
    const network = (name: string): DockerNetwork => one(docker(host, 'network', 'inspect', name));
    const container = (name: string): DockerContainer => one(docker(host, 'container', 'inspect', name));
    const run = (name: string, on: string, ...more: readonly string[]): void =>
      void docker(host, 'run', '-d', '--name', name, '--network', on, ...more, IMAGE);
    const assertPings = (from: string, to: string): void => {
      const ping = ['exec', from, 'ping', '-c', '1', '-W', '2', to];
      const { code, stdout, stderr } = tryDocker(host, ...ping);
      assert.equal(code, 0, `${from} pings ${to}: ${stdout}${stderr}`);
    };

    beforeEach('a dockerd and a daemon', async () => {
      host = running();
      await startDaemon();
      dockerd = await startDocker(host);
      loadImage(host);
      clean = stateOf();
    });

    afterEach('both are gone', async () => {
      const containers = docker(host, 'ps', '-aq').split('\n').filter(Boolean);
      if (containers.length > 0) docker(host, 'rm', '-f', ...containers);
      const networks = docker(host, 'network', 'ls', '-q', '--filter', 'type=custom').split('\n').filter(Boolean);
      if (networks.length > 0) docker(host, 'network', 'rm', ...networks);
      const left = stateOf();
      await dockerd.stop();
      await daemon.stop();
      flushRules(host);
      host.attempt(['sh', '-c', `ip link delete docker0; umount -l /run/docker/netns/*; rm -rf ${DATA}* ${STATE}`]);
      assertSame(sorted(left), sorted(clean), 'the networks and containers of the test');
    });

    it('daemon: it asks dockerd for its networks', async () => {
      const forms: Readonly<Record<string, readonly string[]>> = {
        plain: [],
        ours: ['--ipam-driver', 'isthmus'],
        dual: ['--subnet', '10.205.0.0/24', '--ip-range', '10.205.0.64/26', '--ipv6', '--subnet', 'fd05::/64'],
        inner: ['--internal', '--subnet', '10.206.0.0/24'],
      };
      for (const [name, options] of Object.entries(forms)) {
        docker(host, 'network', 'create', '-d', 'isthmus', ...options, name);
        run(`${name}-1`, name);
      }
      const before = stateOf();
      await daemon.stop();
      host.run('rm', '-rf', STATE);
      await startDaemon();
      const restored = (): number => count(/event=docker\.restored /g);
      await waitFor('all networks are restored', () => restored() === Object.keys(forms).length);
      // The rest of the pass.
      const claimed = (): boolean => records(host).endpoints.every(({ dockerNetwork }) => dockerNetwork !== undefined);
      await waitFor('endpoints are those of their networks', claimed);
      assertSame(sorted(kernelOf(stateOf())), sorted(kernelOf(before)), 'the loss of the state');
      for (const name of Object.keys(forms)) {
        run(`${name}-2`, name);
        assertPings(`${name}-1`, `${name}-2`);
        assertPings(`${name}-2`, `${name}-1`);
        const gateway = container(`${name}-2`).NetworkSettings.Networks[name]?.Gateway;
        assert.equal(gateway, container(`${name}-1`).NetworkSettings.Networks[name]?.Gateway, name);
      }
      assert.equal(Object.keys(network('ours').Containers).length, 2);
    });

    it('dockerd: the daemon deletes its networks and endpoints', async () => {
      for (const [name, options] of [
        ['plain', []],
        ['ours', ['--ipam-driver', 'isthmus']],
      ] as const) {
        docker(host, 'network', 'create', '-d', 'isthmus', ...options, name);
        run(`${name}-1`, name, '-p', name === 'plain' ? '8080:80' : '8081:80');
      }
      const bridges = ['plain', 'ours'].map((name) => `br-${network(name).Id.slice(0, 12)}`);
      await loseDocker();
      const activations = count(/event=Plugin\.Activate /g);
      const other = docker(host, 'network', 'create', '-d', 'isthmus', 'other');
      // It is asked, but all of them are so young that it may be making them still.
      await waitFor('dockerd is asked', () => count(/event=Plugin\.Activate /g) > activations);
      assert.deepEqual([records(host).networks.length, records(host).endpoints.length], [3, 4]);
      age(host, other);
      await daemon.stop();
      await startDaemon();
      await waitFor('the bridges are gone', () => !bridges.some(hasLink));
      assert.equal(records(host).endpoints.length, 0);
      assert.equal(network('other').Id, other);
      run('new', 'other', '-p', '8080:80');
      assertPings('new', network('other').IPAM.Config[0]?.Gateway ?? '');
    });

    it('dockerd, without interfaces in its containers: the daemon deletes their endpoints at once', async () => {
      docker(host, 'network', 'create', '-d', 'isthmus', 'plain');
      run('plain-1', 'plain', '-p', '8080:80');
      const { Id } = network('plain');
      await loseDocker();
      // The namespace of the sandbox ends with this, and its interfaces with it.
      host.attempt(['sh', '-c', 'umount /run/docker/netns/*']);
      docker(host, 'network', 'create', '-d', 'isthmus', 'other');
      await waitFor('the endpoint is gone', () => records(host).endpoints.length === 0);
      assert.ok(hasLink(`br-${Id.slice(0, 12)}`));
      age(host, network('other').Id);
      await daemon.stop();
      await startDaemon();
      await waitFor('the bridge is gone', () => !hasLink(`br-${Id.slice(0, 12)}`));
    });

    /** dockerd and its containers are killed, and one comes up that knows nothing of them. */
    const loseDocker = async (): Promise<void> => {
      const pids = docker(host, 'ps', '-q')
        .split('\n')
        .map((id) => container(id).State.Pid);
      host.run('sh', '-c', 'kill -KILL $(cat /run/docker.pid)');
      await dockerd.ended;
      host.run('kill', '-KILL', ...pids.map(String));
      host.run('sh', '-c', `umount -R -l ${DATA}; rm -rf ${DATA}`);
      dockerd = await startDocker(host);
      loadImage(host);
    };
  });
}

/** Rules and chains have no order of their own. */
function sorted(state: string): string {
  return state.split('\n').sort().join('\n');
}

/** The kernel's part of a snapshot: records have new ids and times. */
function kernelOf(state: string): string {
  return state.split('## state')[0] ?? '';
}

/** Rows of Docker's networks and endpoints. From outside SQLite would open the machine's own file. */
function records(host: TestHost): Records {
  const read = `const { DatabaseSync } = require('node:sqlite');
    const db = new DatabaseSync('${STATE}/state.db');
    const rows = (table) => db.prepare('SELECT body FROM ' + table).all().map(({ body }) => JSON.parse(body));
    console.log(JSON.stringify({ networks: rows('docker_networks'), endpoints: rows('endpoints') }));`;
  return JSON.parse(host.run(process.execPath, '--no-warnings', '-e', read));
}

interface Records {
  readonly networks: readonly { readonly id: string }[];
  readonly endpoints: readonly { readonly role: string; readonly dockerNetwork?: string }[];
}

/** The records are an hour older, those of one network excepted. */
function age(host: TestHost, but: string): void {
  const older = `const { DatabaseSync } = require('node:sqlite');
    const db = new DatabaseSync('${STATE}/state.db');
    for (const table of ['docker_networks', 'endpoints'])
      db.prepare('UPDATE ' + table + " SET body = json_set(body, '$.createdAt', json_extract(body, '$.createdAt') - 3600000)"
        + " WHERE json_extract(body, '$.createdAt') IS NOT NULL AND instr(body, ?) = 0").run(process.argv[1]);`;
  host.run(process.execPath, '--no-warnings', '-e', older, but);
}
