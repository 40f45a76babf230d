import { strict as assert } from 'node:assert';
import { docker, dockerMissing, flushRules, loadImage, makeTables, tryDocker } from './docker.ts';
import { type DockerDaemons, makeDockerDaemons } from './docker-daemons.ts';
import type { DockerContainer, DockerEndpoint, DockerNetwork } from './docker-inspect.ts';
import { DRIVER, publishedPorts } from './docker-plugin.ts';
import { hostState } from './e2e.ts';
import { FramePort } from './frames.ts';
import { IMAGE } from './image.ts';
import { skipIf } from './skip.ts';
import { assertSame } from './snapshot.ts';
import type { Attempt, TestHost } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';
import { addUplink, type Uplink } from './uplink.ts';

export type { DockerContainer, DockerNetwork } from './docker-inspect.ts';
export { startDockerPlugin } from './docker-plugin.ts';

/** A test host with dockerd, our daemon and a neighbour, and agents that serve and probe wherever a test wants them. */
export interface DockerSite {
  readonly host: TestHost;
  /** A test that ends one of them starts it again. */
  readonly daemons: DockerDaemons;
  readonly uplink: Uplink;
  readonly hostAgent: Agent;
  /** Output of a command of docker's client that has to succeed. */
  docker(...args: readonly string[]): string;
  /** The end of one, however it ends. */
  tryDocker(...args: readonly string[]): Attempt;
  /** A network with the driver under test has been created; what `docker network inspect` says of it. */
  create(name: string, ...options: readonly string[]): DockerNetwork;
  /** The output of docker for a network that it does not create. */
  refused(...options: readonly string[]): string;
  /** A container runs that sleeps. */
  run(name: string, ...options: readonly string[]): void;
  /** Output of a command in a container that has to succeed. */
  exec(container: string, ...command: readonly string[]): string;
  /** An answer comes to one of two echo requests; an address that has just been in vain may take a second to get. */
  assertPings(container: string, target: string): void;
  /** No answer comes within a second. */
  assertSilent(container: string, target: string): void;
  inspect(container: string): DockerContainer;
  inspectNetwork(name: string): DockerNetwork;
  endpoint(container: string, network: string): DockerEndpoint;
  addressOf(container: string, network: string): string;
  address6Of(container: string, network: string): string;
  /** Host ports of a running container. */
  publishedPorts(container: string): number[];
  /** An agent in a running container, named as it, which serves these TCP ports. Ends with the test. */
  agentIn(container: string, ...tcp: readonly number[]): Promise<Agent>;
  /** Sees the frames that a running container receives on eth0. Ends with the test. */
  portIn(container: string): FramePort;
  /** The neighbour knows the way to a subnet of containers while `work` is done. */
  routed(subnet: string, work: () => Promise<void>): Promise<void>;
  /** A device of the host and its addresses, as `ip` shows them. */
  linkText(device: string): string;
  /** Links, addresses, routes, firewall and our state as they were before any network of the test. */
  assertClean(what: string): void;
}

const CONTAINER_MS = 180_000;

/**
 * The site of the tests of the enclosing block; they are skipped without dockerd. After each test all containers and
 * networks are deleted, and nothing of them may be left. The neighbour serves TCP on 80.
 */
export function useDockerSite(running: () => TestHost): () => DockerSite {
  const stack = new DisposableStack();
  const ends: Disposable[] = [];
  let site: DockerSite | undefined;
  let daemons: DockerDaemons | undefined;

  before('dockerd, our daemon and a neighbour of the host', async function () {
    this.timeout(120_000);
    skipIf(this, dockerMissing());
    const host = running();
    daemons = makeDockerDaemons(host);
    await daemons.startPlugin();
    await daemons.startDocker();
    loadImage(host);
    makeTables(host);
    const uplink = stack.use(addUplink(host));
    const hostAgent = stack.use(startAgent('host', { path: host.outside('/run/isth/net') }));
    await uplink.agent.serve('tcp', 80);
    site = makeSite({ host, daemons, uplink, hostAgent, ends });
  });

  afterEach('no container, no network, no rule', async function () {
    this.timeout(CONTAINER_MS);
    for (const end of ends.splice(0)) end[Symbol.dispose]();
    if (site === undefined) return;
    await site.daemons.ensure();
    removeAll(site.host);
    // The remains of a failed test are no second failure, but they may fail the tests after it.
    if (this.currentTest?.state === 'passed') site.assertClean('the networks and containers of the test');
  });

  after('dockerd and our daemon', async function () {
    this.timeout(90_000);
    stack.dispose();
    if (daemons === undefined) return;
    await daemons.stopDocker();
    await daemons.stopPlugin();
    flushRules(running());
    // A killed dockerd leaves mounts.
    running().run('sh', '-c', 'ip link delete docker0; umount -qR -l /run/isth/docker; rm -rf /run/isth/docker');
  });

  return () => {
    if (site === undefined) throw new Error('the site was not made');
    return site;
  };
}

interface Parts {
  readonly host: TestHost;
  readonly daemons: DockerDaemons;
  readonly uplink: Uplink;
  readonly hostAgent: Agent;
  /** What ends with the test. */
  readonly ends: Disposable[];
}

function makeSite({ host, daemons, uplink, hostAgent, ends }: Parts): DockerSite {
  const clean = stateOf(host);
  const inspect = (container: string): DockerContainer => one(docker(host, 'container', 'inspect', container));
  const inspectNetwork = (name: string): DockerNetwork => one(docker(host, 'network', 'inspect', name));
  const endpoint = (container: string, network: string): DockerEndpoint => {
    const found = inspect(container).NetworkSettings.Networks[network];
    assert.ok(found, `${container} is not on ${network}`);
    return found;
  };
  return {
    ...{ host, daemons, uplink, hostAgent, inspect, inspectNetwork, endpoint },
    docker: (...args) => docker(host, ...args),
    tryDocker: (...args) => tryDocker(host, ...args),
    create(name, ...options) {
      docker(host, 'network', 'create', '-d', DRIVER, ...options, name);
      return inspectNetwork(name);
    },
    refused(...options) {
      const { code, stderr } = tryDocker(host, 'network', 'create', '-d', DRIVER, ...options, 'refused');
      assert.notEqual(code, 0, `docker network create ${options.join(' ')} has succeeded`);
      return stderr;
    },
    run: (name, ...options) => void docker(host, 'run', '-d', '--name', name, ...options, IMAGE),
    exec: (container, ...command) => docker(host, 'exec', container, ...command),
    assertPings(container, target) {
      const { code, stdout } = tryDocker(
        host,
        'exec',
        container,
        'sh',
        '-c',
        `${ping(target, 2)} || ${ping(target, 2)}`,
      );
      assert.equal(code, 0, `${container} pings ${target}: ${stdout}`);
    },
    assertSilent(container, target) {
      const { code } = tryDocker(host, 'exec', container, 'sh', '-c', ping(target, 1));
      assert.equal(code, 1, `${container} pings ${target}, which it should not reach`);
    },
    addressOf: (container, network) => endpoint(container, network).IPAddress,
    address6Of: (container, network) => endpoint(container, network).GlobalIPv6Address,
    publishedPorts: (container) => publishedPorts(host, container),
    async agentIn(container, ...tcp) {
      const agent = startAgent(container, { path: host.outside(namespaceOf(inspect(container))) });
      ends.push(agent);
      await Promise.all(tcp.map((port) => agent.serve('tcp', port)));
      return agent;
    },
    portIn(container) {
      const path = host.outside(namespaceOf(inspect(container)));
      const ip = (...args: string[]): string => docker(host, 'exec', container, 'ip', ...args);
      const port = new FramePort({ path, ip }, 'eth0');
      ends.push(port);
      return port;
    },
    async routed(subnet, work) {
      const way = [subnet, 'via', uplink.host[subnet.includes(':') ? 6 : 4]];
      host.run('ip', '-n', 'outside', 'route', 'add', ...way);
      try {
        await work();
      } finally {
        host.run('ip', '-n', 'outside', 'route', 'del', ...way);
      }
    },
    linkText: (device) => host.run('ip', '-d', 'addr', 'show', 'dev', device),
    assertClean: (what) => assertSame(stateOf(host), clean, what),
  };
}

const ping = (target: string, seconds: number): string => `ping -c 1 -W ${seconds} ${target}`;

/** The host's state without the counts of dockerd's rules, by which they are in order there, and what each dockerd chooses. */
function stateOf(host: TestHost): string {
  const text = hostState(host)
    .replace(/counter packets \d+ bytes \d+/g, 'counter')
    .replace(/(docker0: .* link\/ether) .*/g, '$1');
  return text.split('\n').sort().join('\n');
}

/** Path of a running container's network namespace; /var/run is a link, which would lead out of the test host. */
function namespaceOf({ NetworkSettings }: DockerContainer): string {
  return NetworkSettings.SandboxKey.replace(/^\/var\/run\//, '/run/');
}

/** No container is there, and no network but Docker's own three. */
function removeAll(host: TestHost): void {
  const containers = docker(host, 'ps', '-aq').split('\n').filter(Boolean);
  if (containers.length > 0) docker(host, 'rm', '-f', ...containers);
  const networks = docker(host, 'network', 'ls', '-q', '--filter', 'type=custom').split('\n').filter(Boolean);
  if (networks.length > 0) docker(host, 'network', 'rm', ...networks);
}

/** The one thing that an answer of `inspect` is about. */
function one<T>(text: string): T {
  const found: readonly T[] = JSON.parse(text);
  assert.equal(found.length, 1);
  // biome-ignore lint/style/noNonNullAssertion: it has just been counted
  return found[0]!;
}
