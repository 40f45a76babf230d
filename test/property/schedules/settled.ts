import { formatAddr } from '../../../src/shared/model/addr.ts';
import { attachmentDigest } from '../../../src/shared/model/attachment.ts';
import { attachmentOf, NAMES, type Name, NETWORK, perform, SCOPE, type Scene } from './parties.ts';
import type { Party } from './process.ts';
import { runSchedule } from './scheduler.ts';
import { World } from './world.ts';

/** Who is attached, and whether Docker keeps the network. */
export interface Desired {
  readonly present: ReadonlySet<Name>;
  readonly isHeld: boolean;
}

/** Everything there is: records, kernel and packet filter, line by line. */
interface Printed {
  readonly records: readonly string[];
  readonly kernel: readonly string[];
  readonly filter: readonly string[];
}

/**
 * How the world differs from one in which only what is desired has ever been made, with the same addresses: `-` lines
 * are missing, `+` lines belong to nobody. Empty where records, kernel and packet filter are exactly as desired.
 */
export async function differences(world: World, desired: Desired, published: ReadonlySet<Name>): Promise<string[]> {
  const isThere = desired.present.size > 0 || desired.isHeld;
  const found = print(world);
  const wanted = await ideal(world, desired, published);
  return (['records', 'kernel', 'filter'] as const).flatMap((part) => {
    const extra = beyond(found[part], wanted[part]).filter((line) => !isThere || !isKept(line));
    return [
      ...beyond(wanted[part], found[part]).map((line) => `- ${part}: ${line}`),
      ...extra.map((line) => `+ ${part}: ${line}`),
    ];
  });
}

/** What a published port needs of the network stays until the network goes. */
function isKept(line: string): boolean {
  return line.includes('route_localnet') || line.includes('"hairpin"');
}

/** Ideal worlds by what makes them: few differ. */
const ideals = new Map<string, Promise<Printed>>();

function ideal(world: World, desired: Desired, published: ReadonlySet<Name>): Promise<Printed> {
  const { leases } = world.openStore();
  const addresses = new Map(
    NAMES.map((name) => [name, leases.list(SCOPE, attachmentOf(name)).map(({ address }) => address)]),
  );
  const texts = [...desired.present].map((name) => [
    name,
    published.has(name),
    (addresses.get(name) ?? []).map((address) => formatAddr(address)),
  ]);
  const key = JSON.stringify([desired.isHeld, texts]);
  const known = ideals.get(key) ?? make(desired, { published, addresses, reports: new Map() });
  ideals.set(key, known);
  return known;
}

async function make({ present, isHeld }: Desired, scene: Scene): Promise<Printed> {
  const made = new World();
  const calls = [
    ...(isHeld ? [{ name: 'network create' } as const] : []),
    ...[...present].map((of) => (of === 'd1' ? ({ name: 'offer', of } as const) : ({ name: 'ADD', of } as const))),
  ];
  for (const call of calls) {
    const party: Party = { name: call.name, run: (core) => perform(core, call, scene) };
    const { outcomes } = await runSchedule(made, [{ parties: [party], isDaemon: false }], { first: 0, turns: [] });
    if (outcomes[0]?.error !== undefined) throw outcomes[0].error;
  }
  return print(made);
}

function print(world: World): Printed {
  const store = world.openStore();
  const names = new Map(NAMES.map((name) => [attachmentDigest(attachmentOf(name)), name]));
  const nameOf = (owner: Parameters<typeof attachmentDigest>[0]): string =>
    names.get(attachmentDigest(owner)) ?? `${owner.camp} ${owner.containerId} ${owner.ifName}`;
  const records = [
    ...store.networks.list().map(({ name, device, holders = [] }) => `network ${name} on ${device} ${holders.join()}`),
    ...store.endpoints
      .list()
      .map(({ attachment, role, progress }) => `endpoint ${nameOf(attachment)} ${role} ${progress}`),
    ...store.leases.list(SCOPE).map(({ address, owner }) => `lease ${formatAddr(address)} of ${nameOf(owner)}`),
    ...store.ports.list().map(({ protocol, hostPort, owner }) => `port ${protocol} ${hostPort} of ${nameOf(owner)}`),
    ...world.locks.held.map((key) => `lock ${key}`),
  ];
  return {
    records: records.sort(),
    kernel: world.host.toString().split('\n').sort(),
    filter: world.filter
      .list()
      .map((entry) => JSON.stringify(entry, Object.keys(entry).sort()))
      .sort(),
  };
}

function beyond(lines: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return lines.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** Whether the records call the attachment complete, half made, or do not know it. */
export function stateOf(world: World, name: Name): 'present' | 'broken' | 'absent' {
  const store = world.openStore();
  const rows = (['interface', 'portmap'] as const).flatMap(
    (role) => store.endpoints.get(attachmentOf(name), role) ?? [],
  );
  if (rows.length === 0) return 'absent';
  const isWhole = rows[0]?.role === 'interface' && rows.every(({ progress }) => progress === 'ready');
  return isWhole ? 'present' : 'broken';
}

/** Whether the records say that the host port of Docker's endpoint is published. */
export function isPublished(world: World): boolean {
  return world.openStore().endpoints.get(attachmentOf('d1'), 'portmap') !== undefined;
}

export function isNetworkHeld(world: World): boolean {
  return (world.openStore().networks.get(NETWORK)?.holders?.length ?? 0) > 0;
}
