import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { makeProgram } from '../../cmd/cnm-shim/program.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { answer, type RecordedDocker, startRecordedDocker } from '../support/docker-api.ts';
import { type DockerLab, makeDockerLab } from '../support/docker-lab.ts';
import { etcdMissing } from '../support/etcd.ts';
import { assertGolden } from '../support/golden.ts';
import { shapeOf } from '../support/json-shape.ts';
import { netnsMissing } from '../support/netns.ts';
import { makeOverlay, type Overlay } from '../support/overlay-site.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';

/** Verbs as the user types them, with the words that show as much as there is. The broken ones end with 1. */
const SHOWN: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'check-path': [
    ['pod0', 'pod1'],
    ['pod0', 'host', '--port', '8080', '--no-probe'],
  ],
  'cluster status': [],
  doctor: [[], ['--fix']],
  'endpoint inspect': [['web1', 'pod0']],
  'endpoint ls': [[]],
  events: [[]],
  explain: [['{list}']],
  install: [['--root', '{root}']],
  'network inspect': [['app', 'web', 'spare']],
  'network ls': [[]],
  ports: [[]],
  status: [[]],
  topology: [[]],
  uninstall: [['--dry-run', '--root', '{root}']],
  validate: [['{conf}']],
  version: [[]],
};

/** The promise: within a major version, keys are added, and never removed or given another type. */
describe('the JSON of the verbs', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let temp: TempDir;
  let api: RecordedDocker;
  let lab: DockerLab;
  let verbs: Verbs;
  /** A host without a daemon, on which something is wrong. */
  let alone: DaemonSite;
  let broken: Verbs;
  /** The host's end of the pod there. */
  let hostEnd: string;
  let overlay: Overlay | undefined;
  let places: Readonly<Record<string, string>>;

  before(async function () {
    skipIf(this, netnsMissing() ?? etcdMissing());
    bin = daemonBin();
    temp = makeTempDir();
    const conf = join(temp.path, 'conf');
    places = { '{root}': join(temp.path, 'root'), '{conf}': conf, '{list}': join(conf, '10-web.conflist') };
    for (const name of ['root/etc', 'root/opt', 'root/usr/lib', 'root/usr/bin', 'root/var/lib', 'conf'])
      mkdirSync(join(temp.path, name), { recursive: true });
    alone = makeSite(bin, { pods: 1 });
    lab = await makeDockerLab(bin);
    await fill();
  });
  after(async () => {
    await overlay?.[Symbol.asyncDispose]();
    alone?.[Symbol.dispose]();
    lab?.[Symbol.dispose]();
    await api?.[Symbol.asyncDispose]();
    temp?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  /** A container of Docker, two pods, published ports, a failed call, and files of which one is broken. */
  async function fill(): Promise<void> {
    const { docker, host, site } = lab;
    const app = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const endpoint = await docker.start(app, host, lab.container(2), { ports: [{ host: 8081, container: 80 }] });
    api = await startRecordedDocker();
    const [container, labels] = ['7a'.repeat(32), { tier: 'front' }];
    api.instead = (path: string, response: ServerResponse) => {
      const networks = [{ Id: app.id, Name: 'app', Driver: 'isthmus', Scope: 'local', Labels: labels }];
      if (path === '/networks') return answer(response, 200, JSON.stringify(networks));
      const Networks = { app: { EndpointID: endpoint.id, NetworkID: app.id } };
      const all = [{ Id: container, Names: ['/web1'], Labels: labels, NetworkSettings: { Networks } }];
      return path.startsWith('/containers/json') ? answer(response, 200, JSON.stringify(all)) : undefined;
    };
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }];
    const web = { ...site.config, name: 'web', capabilities: { portMappings: true, aliases: true } };
    site.ok('ADD', { pod: 0, config: { ...web, runtimeConfig: { portMappings, aliases: { web: ['db'] } } } });
    site.ok('ADD', { pod: 1, config: web });
    assert.notEqual(site.run('ADD', { pod: 1, config: { ...web, bridge: 'other0' } }).code, 0);
    writeFileSync(
      join(temp.path, 'conf/10-web.conflist'),
      JSON.stringify({ cniVersion: '1.0.0', name: 'web', plugins: [web] }),
    );
    writeFileSync(join(temp.path, 'conf/20-lab.conf'), '{ "name": "lab", ');
    const env = {
      ISTHMUS_DOCKER_HOST: `unix://${api.socket}`,
      ISTHMUS_CNI_CONF_DIR: join(temp.path, 'conf'),
      ISTHMUS_RUN_DIR: site.runDir,
      CNI_PATH: bin.path,
    };
    verbs = makeVerbs({ stateDir: site.host.stateDir, netns: site.host.ns.path, env });
    await verbs.ok('network', 'create', 'spare', '--subnet', '10.97.0.0/24', '--subnet', 'fd00:97::/64');
    hostEnd = alone.ok('ADD').interfaces?.[1]?.name ?? '';
    broken = makeVerbs({
      stateDir: alone.host.stateDir,
      netns: alone.host.ns.path,
      env: { ...env, ISTHMUS_RUN_DIR: alone.runDir },
    });
  }

  /** A daemon would mend it before a verb looks. */
  function spoil(): void {
    alone.host.ns.run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
    alone.host.ns.ip('link', 'set', hostEnd, 'nomaster');
  }

  async function said(own: Verbs, words: readonly string[]): Promise<unknown> {
    const filled = words.map((word) => places[word] ?? word);
    const { code, stdout, stderr } = await own.run(...filled, '-o', 'json');
    assert.ok((code === 0 || code === 1) && stdout !== '', `${filled.join(' ')}: ${stderr}`);
    return JSON.parse(stdout);
  }

  it('is here of every verb that has any', () => {
    const found = leavesOf(makeProgram()).filter(({ options }) => options.some(isFormat));
    assert.deepEqual(found.map(titleOf).sort(), Object.keys(SHOWN).sort());
  });

  for (const [verb, orders] of Object.entries(SHOWN))
    if (orders.length > 0)
      it(`${verb}: has the keys and types that it had`, async () => {
        const texts: unknown[] = [];
        const hosts = { doctor: [broken], 'endpoint ls': [verbs, broken] }[verb] ?? [verbs];
        for (const words of orders)
          for (const own of hosts) {
            if (own === broken) spoil();
            texts.push(await said(own, [...verb.split(' '), ...words]));
          }
        assertGolden(`json/${verb.replaceAll(' ', '-')}`, `${shapeOf(...texts).join('\n')}\n`);
      });

  it('cluster status, and network inspect of an overlay: have the keys and types that they had', async () => {
    overlay = await makeOverlay(bin, { hosts: 2, pods: 1 });
    const [a, b] = overlay.members;
    assert.ok(a !== undefined && b !== undefined);
    await Promise.all([a.start(), b.start()]);
    const web = overlay.network('web', { mode: 'shared' }, { subnet: '10.100.0.0/16' });
    for (const member of [a, b]) member.add(0, web);
    const isComplete = async (): Promise<boolean> => {
      const [found] = await a.verbs.json<{ remote?: object[] }[]>('network', 'inspect', 'web');
      return found?.remote?.length === 1;
    };
    for (let i = 0; !(await isComplete()); i++) assert.ok(i < 60, 'the other host is not seen');
    assertGolden('json/cluster-status', `${shapeOf(await said(a.verbs, ['cluster', 'status'])).join('\n')}\n`);
    const inspected = await said(a.verbs, ['network', 'inspect', 'web']);
    assertGolden('json/network-inspect-overlay', `${shapeOf(inspected).join('\n')}\n`);
    for (const member of [a, b]) member.del(0, web);
  });
});

/** An option with which a verb prints JSON. */
function isFormat({ long, argChoices = [] }: Option): boolean {
  return long === '--output' && argChoices.includes('json');
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** The words of a verb, without `isthmus`. */
function titleOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : `${titleOf(above)} ${command.name()}`;
}
