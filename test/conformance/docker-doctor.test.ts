import { strict as assert } from 'node:assert';
import type { ServerResponse } from 'node:http';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { answer, type RecordedDocker, startRecordedDocker } from '../support/docker-api.ts';
import type { CalledEndpoint, CalledNetwork } from '../support/docker-caller.ts';
import { type DockerLab, makeDockerLab } from '../support/docker-lab.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';

interface Found {
  readonly findings: readonly { readonly rule: string; readonly subject: string }[];
}

describe('doctor with Docker networks', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;
  let api: RecordedDocker;
  let verbs: Verbs;
  let app: CalledNetwork;
  let endpoint: CalledEndpoint;
  /** Whether dockerd knows the network. */
  let isKnown: boolean;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  beforeEach(async () => {
    isKnown = true;
    lab = await makeDockerLab(bin);
    api = await startRecordedDocker();
    api.instead = say;
    const { stateDir, ns } = lab.site.host;
    const { runDir } = lab.site;
    const env = { ISTHMUS_DOCKER_HOST: `unix://${api.socket}`, ISTHMUS_RUN_DIR: runDir, CNI_PATH: '/nonexistent' };
    verbs = makeVerbs({ stateDir, netns: ns.path, env });
    app = await lab.docker.createNetwork({ subnet: '10.99.0.0/24' });
    endpoint = await lab.docker.start(app, lab.host, lab.container(0), {});
  });
  afterEach(async () => {
    lab?.[Symbol.dispose]();
    await api?.[Symbol.asyncDispose]();
  });
  after(() => bin?.[Symbol.dispose]());

  function say(path: string, response: ServerResponse): unknown {
    if (path === '/networks') {
      const own = isKnown ? [{ Id: app.id, Name: 'app', Driver: 'isthmus', Scope: 'local' }] : [];
      return answer(response, 200, JSON.stringify([{ Id: 'b'.repeat(64), Name: 'bridge', Driver: 'bridge' }, ...own]));
    }
    if (path !== '/containers/json') return undefined;
    const of = [[app.id, { EndpointID: endpoint.id, NetworkID: app.id }]];
    const one = { Id: 'c'.repeat(64), Names: ['/web1'], NetworkSettings: { Networks: Object.fromEntries(of) } };
    return answer(response, 200, JSON.stringify([one]));
  }

  async function rules(...args: readonly string[]): Promise<string[]> {
    const { stdout, stderr } = await verbs.run('doctor', '-o', 'json', ...args);
    assert.equal(stderr, '');
    return [...new Set((JSON.parse(stdout) as Found).findings.map(({ rule }) => rule))].sort();
  }

  it('finds nothing on a healthy host, and a network that dockerd does not know', async () => {
    assert.deepEqual(await rules(), []);
    assert.deepEqual([await rules('app'), await rules('web1')], [[], []]);
    isKnown = false;
    assert.deepEqual(await rules(), ['docker-network-unknown']);
  });

  it('finds by names of Docker what a container lacks, and mends it', async () => {
    lab.host.ip(
      'link',
      'set',
      String((await verbs.json<{ hostInterface: string }[]>('endpoint', 'ls'))[0]?.hostInterface),
      'down',
    );
    lab.host.run('nft', 'flush', 'ruleset');
    const found = await rules('web1');
    // The daemon mends it, too, and may have come first.
    for (const rule of found) assert.ok(['port-off-bridge', 'rules-missing'].includes(rule), rule);
    await verbs.run('doctor', '--fix');
    assert.deepEqual(await rules(), []);
  });

  it('needs the daemon', async () => {
    const status = await verbs.run('status');
    assert.match(status.stdout, /CNI 0; Docker 1/);
  });
});
