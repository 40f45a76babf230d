import { setTimeout as sleep } from 'node:timers/promises';
import { makeHost } from '../support/cni-host.ts';
import { docker, dockerMissing } from '../support/docker.ts';
import { IMAGE } from '../support/image.ts';
import { makeBareNode } from './bare-start.ts';
import { daemonRoute } from './daemon-calls.ts';
import { cpuTime } from './daemon-cost.ts';
import { makeCrowd } from './daemon-memory.ts';
import { all } from './daemon-serial.ts';
import { copyPrograms, type Daemon, startDaemon } from './daemon-site.ts';
import { startDockerSite } from './docker-site.ts';
import { makeSpawner, type SpawnCall } from './spawner.ts';
import { type Summary, summarize, timed } from './stats.ts';

/** Sizes for the verbs that look at a host. */
export interface VerbSizes {
  /** Endpoints with a port each, spread over the networks. */
  readonly endpoints: number;
  readonly networks: number;
  /** Their namespaces. */
  readonly homes: number;
  /** Calls of each verb. */
  readonly rounds: number;
}

export interface VerbTimes {
  readonly endpoints: number;
  readonly networks: number;
  readonly verbs: readonly VerbTime[];
  /** `node -e 0`, in turn with the verbs: the least that a start takes. */
  readonly bare: Summary;
  /** Of `docker network inspect` of as many endpoints on as many networks; undefined without dockerd. */
  readonly docker?: Summary;
}

/** One verb, from the start of its executable to its end. */
export interface VerbTime {
  readonly verb: string;
  readonly time: Summary;
  /** Milliseconds of CPU of its process, user and system; median. */
  readonly cpu: number;
  /** Milliseconds of the daemon's CPU meanwhile, of all its work; median. */
  readonly daemon: number;
}

/** Number of the network whose subnet the first one has. */
const FIRST = 20;
/** After the last call: garbage of the daemon, announcements of addresses. */
const SETTLE_MS = 4000;

/** Runs each verb in turn, beside so many endpoints, with the daemon. */
export async function measureVerbs(sizes: VerbSizes): Promise<VerbTimes> {
  const { endpoints, networks } = sizes;
  const docker = await measureInspect(sizes);
  return { endpoints, networks, ...(await measureLooks(sizes)), ...(docker === undefined ? {} : { docker }) };
}

async function measureLooks({
  endpoints,
  networks,
  homes,
  rounds,
}: VerbSizes): Promise<Pick<VerbTimes, 'verbs' | 'bare'>> {
  using node = makeBareNode();
  using spawner = makeSpawner();
  using programs = copyPrograms();
  using spare = makeHost(homes);
  await using daemon = await startDaemon(programs);
  const routes = Array.from({ length: networks }, (_, i) => daemonRoute(daemon, programs, FIRST + i, true, String(i)));
  makeCrowd(spawner, routes, spare.pods, endpoints);
  await sleep(SETTLE_MS);
  const verbs = [
    ...['version', 'status', 'network ls', 'network inspect ports0', 'endpoint ls', 'endpoint ls -o json', 'ports'],
    ...['topology', 'events', `check-path crowd0 crowd${networks}`, 'doctor'],
  ];
  const times = verbs.map((verb) => ({ verb, ms: [] as number[], cpu: [] as number[], daemon: [] as number[] }));
  const bare: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const [started] = all(spawner.run([verbCall(daemon, node.file, '-e 0')]));
    if (round >= 0 && started !== undefined) bare.push(started.ms);
    for (const one of times) {
      const before = cpuTime(daemon.pid).whole;
      const [outcome] = all(spawner.run([verbCall(daemon, programs.daemon, one.verb)]));
      // The first round reads the files.
      if (outcome === undefined || round < 0) continue;
      one.daemon.push(cpuTime(daemon.pid).whole - before);
      one.ms.push(outcome.ms);
      one.cpu.push(outcome.cpu);
    }
  }
  const verbTimes = times.map(({ verb, ms, cpu, daemon: cost }): VerbTime => {
    return { verb, time: summarize(ms), cpu: summarize(cpu).p50, daemon: summarize(cost).p50 };
  });
  return { verbs: verbTimes, bare: summarize(bare) };
}

/** The spawner reads what a program has written once it has ended, and a pipe holds less than a list is long. */
const MUTE = ['-c', 'exec "$0" "$@" > /dev/null'];

function verbCall({ host, runDir }: Daemon, program: string, verb: string): SpawnCall {
  const { PATH } = process.env;
  const env = { PATH, ISTHMUS_STATE_DIR: host.stateDir, ISTHMUS_RUN_DIR: runDir };
  const args = [...MUTE, program, ...verb.split(' ')];
  return { steps: [{ netns: host.ns.path, file: '/bin/sh', args, env, input: '' }] };
}

/** The client of docker, on networks of the built-in driver. Each container is on all of them. */
async function measureInspect({ endpoints, networks, rounds }: VerbSizes): Promise<Summary | undefined> {
  const missing = dockerMissing();
  if (missing !== undefined) {
    console.log(`\ndocker network inspect is left out: ${missing}`);
    return undefined;
  }
  await using site = await startDockerSite();
  const { client, host } = site;
  const names = Array.from({ length: networks }, (_, i) => `n${i}`);
  const [first = '', ...others] = names;
  for (const Name of names) await client.call('POST', '/networks/create', { Name, Driver: 'bridge' });
  for (let i = 0; i < endpoints / networks; i++) {
    const Container = `c${i}`;
    const created = { Image: IMAGE, HostConfig: { NetworkMode: first } };
    await client.call('POST', `/containers/create?name=${Container}`, created);
    await client.call('POST', `/containers/${Container}/start`);
    for (const name of others) await client.call('POST', `/networks/${name}/connect`, { Container });
  }
  const inspect = (): string => docker(host, 'network', 'inspect', ...names);
  const found = (JSON.parse(inspect()) as { Containers: object }[]).flatMap((one) => Object.keys(one.Containers));
  if (found.length < endpoints) throw new Error(`docker network inspect shows ${found.length} of ${endpoints}`);
  return summarize(Array.from({ length: rounds }, () => timed(inspect)));
}
