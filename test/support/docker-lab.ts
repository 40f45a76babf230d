import { join } from 'node:path';
import { type DaemonBin, type DaemonSite, makeSite } from './daemon-site.ts';
import { DockerCaller } from './docker-caller.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { type Agent, startAgent } from './traffic.ts';

/** Addresses of the host's link to `outside`: the host's own, and the neighbour's. */
export const HOST = '192.0.2.1';
export const OUTSIDE = '192.0.2.9';

/** A host with a daemon, a neighbour outside, and containers of which the test is the dockerd. */
export interface DockerLab extends Disposable {
  readonly site: DaemonSite;
  readonly host: TestNetns;
  readonly outside: TestNetns;
  readonly docker: DockerCaller;
  container(index: number): TestNetns;
  /** Serves and probes in a namespace until the lab goes. */
  agent(name: string, ns: Pick<TestNetns, 'path'>): Agent;
  /** Everything a call could have changed, on the host and in its state. */
  snapshot(): string;
}

/** The daemon is running. The first `pods` containers are pods of CNI calls too. */
export async function makeDockerLab(bin: DaemonBin, count = 3): Promise<DockerLab> {
  using made = new DisposableStack();
  const site = made.use(makeSite(bin, { pods: count }));
  const outside = made.use(makeNetns('o-'));
  const host = site.host.ns;
  for (const ns of [host, outside]) ns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0');
  host.ip('link', 'add', 'up0', 'up', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.name);
  host.ip('addr', 'add', `${HOST}/24`, 'dev', 'up0');
  outside.ip('addr', 'add', `${OUTSIDE}/24`, 'dev', 'eth0');
  outside.ip('link', 'set', 'eth0', 'up');
  outside.ip('link', 'set', 'lo', 'up');
  outside.ip('route', 'add', 'default', 'via', HOST);
  host.ip('route', 'add', 'default', 'via', OUTSIDE);
  const docker = made.use(new DockerCaller(join(site.runDir, 'docker.sock')));
  await site.start();
  const agents = made.use(new DisposableStack());
  const stack = made.move();
  return {
    ...{ site, host, outside, docker },
    container: (index) => site.host.pod(index),
    agent: (name, ns) => agents.use(startAgent(name, ns)),
    snapshot: () => site.host.snapshot({}),
    [Symbol.dispose]: () => stack.dispose(),
  };
}
