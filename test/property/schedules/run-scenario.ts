import { hostIfName } from '../../../src/shared/model/attachment.ts';
import { allowedHolding, allowedStates, type Made, type State } from './expected.ts';
import type { PartyCore } from './gate.ts';
import { attachmentOf, type Call, formatLock, NAMES, type Name, perform, type Scene, start } from './parties.ts';
import type { Outcome, Party } from './process.ts';
import { isNetworkHeld, isPublished, stateOf } from './records.ts';
import { PODS, type Scenario } from './scenario.ts';
import { runSchedule } from './scheduler.ts';
import { differences } from './settled.ts';
import { World } from './world.ts';

/** The faults at the end and the executed steps, as lines. `faults` is empty if the end state is as expected. */
export interface Verdict {
  readonly faults: readonly string[];
  readonly lines: readonly string[];
  readonly outcomes: readonly Outcome[];
}

export async function runScenario(scenario: Scenario): Promise<Verdict> {
  const { calls, apart, daemons, schedule, published } = scenario;
  const world = new World();
  const scene: Scene = { published: new Set(published), reports: new Map() };
  await prepare(world, scenario, scene);
  const before = new Map(
    NAMES.map((name) => [name, scenario.prior[name].is === 'lost' ? 'broken' : stateOf(world, name)] as const),
  );
  const wasHeld = isNetworkHeld(world);
  const parties = calls.map((call): Party => ({ name: nameOf(call), run: (core) => perform(core, call, scene) }));
  const specs = apart
    ? parties.map((party, i) => ({ parties: [party], isDaemon: daemons[i] ?? false }))
    : [{ parties, isDaemon: true }];
  const { outcomes, stuck, ...run } = await runSchedule(world, specs, schedule, formatLock);
  const lines = [situation(scenario), ...run.lines];
  const isKilled = outcomes.some(({ killed }) => killed);
  const made = calls.flatMap((call, i): Made[] => (outcomes[i] === undefined ? [] : [{ call, outcome: outcomes[i] }]));
  if (stuck !== undefined) return { faults: [stuck], lines, outcomes };
  const found = [...lines];
  const faults: string[] = made.flatMap((one) => unexplained(one, before, calls));
  const allowed = new Map(NAMES.map((name) => [name, allowedStates(name, before.get(name) ?? 'absent', made)]));
  const held = allowedHolding(wasHeld, made);
  const isBroken = NAMES.some((name) => allowed.get(name)?.has('broken'));
  if (isBroken || isKilled || isAbandoned(world, scenario)) {
    faults.push(...earlyFaults(world, allowed));
    found.push('a daemon starts, with nobody else running');
    faults.push(...(await alone(world, 'start', async (core) => start(core).then(throwFirst))));
  }
  // A crashed call may leave Docker's endpoint without its port: dockerd then deletes the endpoint.
  const isBare = isKilled && !isPublished(world);
  const judgedScene = isBare ? { ...scene, published: new Set(published.filter((name) => name !== 'd1')) } : scene;
  faults.push(...(await judged(world, judgedScene, allowed, held)));
  return { faults, lines: found, outcomes };
}

/** The state before the schedule, as a line. */
function situation({ prior, held, published, apart, daemons, calls }: Scenario): string {
  const found = NAMES.map((name) => {
    const how = prior[name];
    return `${name}: ${how.is}${'steps' in how ? ` after ${how.steps} steps` : ''}`;
  });
  const who = apart
    ? calls.map((_, i) => `process ${String.fromCharCode(65 + i)} is a ${daemons[i] ? 'daemon' : 'plugin'}`)
    : ['process A is a daemon'];
  const ports = published.length === 0 ? 'no ports' : `ports of ${published.join(', ')}`;
  return `  0. ${found.join('; ')}; network ${held ? 'kept by Docker' : 'of its endpoints'}; ${ports}; ${who.join(', ')}`;
}

/** True if a call that crashed before the schedule left an unused network: the next start deletes it. */
function isAbandoned(world: World, { prior }: Scenario): boolean {
  const isUsed = isNetworkHeld(world) || NAMES.some((name) => stateOf(world, name) !== 'absent');
  return !isUsed && NAMES.some((name) => prior[name].is.startsWith('dead'));
}

/** Faults that the last start must not repair: in state that no crash can have left half created. */
function earlyFaults(world: World, allowed: ReadonlyMap<Name, ReadonlySet<State>>): string[] {
  return NAMES.flatMap((name) => {
    const may = allowed.get(name) ?? new Set();
    const is = stateOf(world, name);
    return may.has(is) || may.has('broken')
      ? []
      : [`${name} is ${is} before the last start, not ${[...may].join(' or ')}`];
  });
}

/** Faults of a world in which no call runs and nothing is half created. */
async function judged(
  world: World,
  scene: Scene,
  allowed: ReadonlyMap<Name, ReadonlySet<State>>,
  held: ReadonlySet<boolean>,
): Promise<string[]> {
  const faults: string[] = [];
  const present = new Set<Name>();
  for (const name of NAMES) {
    const may = new Set<State>([...(allowed.get(name) ?? [])].map((state) => (state === 'broken' ? 'absent' : state)));
    const is = stateOf(world, name);
    if (!may.has(is))
      faults.push(`${name} is ${is} on record, but every serial order leaves it ${[...may].join(' or ')}`);
    if (may.has(is) ? is === 'present' : !may.has('absent')) present.add(name);
  }
  const isHeld = isNetworkHeld(world);
  if (!held.has(isHeld)) faults.push(`Docker ${isHeld ? 'keeps' : 'does not keep'} the network`);
  try {
    faults.push(
      ...(await differences(world, { present, isHeld: held.has(isHeld) ? isHeld : !isHeld }, scene.published)),
    );
  } catch (error) {
    faults.push(`no host can be like this: ${error}`);
  }
  for (const pod of PODS) {
    if (!present.has(pod) || !scene.reports.has(pod)) continue;
    faults.push(...(await alone(world, `CHECK ${pod}`, (core) => perform(core, { name: 'CHECK', of: pod }, scene))));
  }
  return faults;
}

function throwFirst(errors: readonly unknown[]): void {
  if (errors[0] !== undefined) throw errors[0];
}

/** Describes a failure of a call that no other call explains. */
function unexplained(made: Made, before: ReadonlyMap<Name, State>, calls: readonly Call[]): string[] {
  const { call, outcome } = made;
  const { error, killed } = outcome;
  if (error === undefined || killed) return [];
  const kind = typeof error === 'object' && error !== null && 'kind' in error ? error.kind : 'none';
  if (kind === 'busy') return [];
  const isRival = (name: Call['name']): boolean => calls.some((other) => other !== call && other.name === name);
  // A live endpoint exists, or another ADD was first.
  if (call.name === 'ADD' && kind === 'bad-environment' && (before.get(call.of) === 'present' || isRival('ADD')))
    return [];
  // The endpoint was deleted between its offer and the publishing of its port.
  if (call.name === 'offer' && kind === 'unknown-container' && isRival('withdraw')) return [];
  if (call.name === 'CHECK' && (before.get(call.of) !== 'present' || isRemoved(call.of, calls))) return [];
  return [`${nameOf(call)} fails: ${error instanceof Error ? error.message : error}`];
}

function isRemoved(name: Name, calls: readonly Call[]): boolean {
  return calls.some((call) =>
    call.name === 'GC' ? !call.keep.some((kept) => kept === name) : call.name === 'DEL' && call.of === name,
  );
}

/** Calls that end before the schedule begins. */
async function prepare(world: World, { prior, held }: Scenario, scene: Scene): Promise<void> {
  await alone(world, 'first', (core) => perform(core, { name: 'reload' }, scene));
  if (held) await alone(world, 'create', (core) => perform(core, { name: 'network create' }, scene));
  for (const pod of PODS) {
    const how = prior[pod];
    if (how.is === 'none') continue;
    const add = { name: 'ADD', of: pod } as const;
    await alone(world, 'ADD', (core) => perform(core, add, scene), how.is === 'dead ADD' ? how.steps : undefined);
    if (how.is === 'dead DEL')
      await alone(world, 'DEL', (core) => perform(core, { name: 'DEL', of: pod }, scene), how.steps);
  }
  if (prior.d1.is === 'none') return;
  await alone(world, 'offer', (core) => perform(core, { name: 'offer', of: 'd1' }, scene));
  if (prior.d1.is !== 'lost') return;
  const { host } = world;
  host.apply([{ op: 'link.delete', ns: 'host', name: hostIfName(attachmentOf('d1')) }], { host: host.own });
}

/** Runs in its own process and dies after `steps`. Returns the reason of its failure. */
async function alone(
  world: World,
  name: string,
  run: (core: PartyCore) => Promise<unknown>,
  steps?: number,
): Promise<string[]> {
  const kill = steps === undefined ? undefined : { party: 0, step: steps };
  const specs = [{ parties: [{ name, run }], isDaemon: false }];
  const { outcomes, stuck } = await runSchedule(world, specs, { first: 0, turns: [], kill });
  const error = stuck ?? outcomes[0]?.error;
  return error === undefined ? [] : [`${name} fails: ${error instanceof Error ? error.message : error}`];
}

export function nameOf(call: Call): string {
  if ('of' in call) return `${call.name} web/${call.of}`;
  return 'keep' in call ? `GC (keeps ${call.keep.join(', ') || 'nobody'})` : call.name;
}
