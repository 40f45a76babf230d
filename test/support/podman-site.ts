import { reference } from './e2e.ts';
import { makePodman, type Podman } from './podman.ts';
import { rules } from './rules.ts';
import { assertSame } from './snapshot.ts';
import type { TestHost } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';
import { addUplink, type Uplink } from './uplink.ts';

/** A test host with podman and a neighbour, and agents that serve and probe wherever a test wants them. */
export interface PodmanSite {
  readonly host: TestHost;
  readonly podman: Podman;
  readonly uplink: Uplink;
  readonly hostAgent: Agent;
  /** All rules of the host while there is no container. */
  readonly without: string;
  /** An agent in a running container, named as it; serves these TCP ports, 80 by default. Ends with the test. */
  agentIn(name: string, tcp?: readonly number[]): Promise<Agent>;
  addressOf(name: string, network?: string): string;
  address6Of(name: string, network: string): string;
}

/**
 * The site of the tests of the enclosing block. After each test the containers `one`, `two` and `three` are deleted,
 * and no rule may be left. The neighbour serves TCP on 80.
 */
export function usePodmanSite(running: () => TestHost): () => PodmanSite {
  let site: PodmanSite | undefined;
  const agents: Agent[] = [];

  before('podman and a neighbour of the host', async () => {
    const host = running();
    const podman = makePodman(host);
    const uplink = addUplink(host);
    const hostAgent = startAgent('host', { path: host.outside('/run/isth/net') });
    const ask = (name: string, network: string, key: string): string =>
      podman.inspect(name, `{{(index .NetworkSettings.Networks "${network}").${key}}}`);
    site = {
      ...{ host, podman, uplink, hostAgent, without: rules(host) },
      async agentIn(name, tcp = [80]) {
        const path = host.outside(podman.inspect(name, '{{.NetworkSettings.SandboxKey}}'));
        const agent = startAgent(name, { path });
        agents.push(agent);
        await Promise.all(tcp.map((port) => agent.serve('tcp', port)));
        return agent;
      },
      addressOf: (name, network = 'podman') => ask(name, network, 'IPAddress'),
      address6Of: (name, network) => ask(name, network, 'GlobalIPv6Address'),
    };
    await uplink.agent.serve('tcp', 80);
  });

  afterEach('no container, no rule', function () {
    for (const agent of agents.splice(0)) agent[Symbol.dispose]();
    if (site === undefined) return;
    site.podman.remove('three', 'two', 'one');
    // The reference leaves its chains.
    if (this.currentTest?.state !== 'passed' || reference) return;
    assertSame(rules(site.host), site.without, 'containers that came and went');
  });

  after(() => {
    site?.hostAgent[Symbol.dispose]();
    site?.uplink[Symbol.dispose]();
  });

  return () => {
    if (site === undefined) throw new Error('the site was not made');
    return site;
  };
}
