import { isOnParent } from '../../src/shared/config/parented.ts';
import { attachmentKey } from '../../src/shared/core/apply.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { desiredEntries } from '../../src/shared/core/desired.ts';
import { lackingHostSide } from '../../src/shared/core/endpoints/host-side.ts';
import { deviceKey } from '../../src/shared/core/networks/record.ts';
import type { KernelChange } from '../../src/shared/host/changes.ts';
import { type Endpoint, hostIfOf, hostSideOf, rulesOf } from '../../src/shared/model/endpoint.ts';
import { entryKey } from '../../src/shared/model/firewall.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';

type Records = Pick<Core, 'host' | 'store' | 'lock'>;
type Filtered = Records & Pick<Core, 'firewall'>;

/** A change that removed something recorded, and the lock of the call that may have made the change itself. */
interface Suspect {
  readonly change: KernelChange;
  /** Absent for objects that no call changes on its own. */
  readonly key?: string;
}

/**
 * Returns the changes that removed something recorded. A call in progress changes kernel and records one after the
 * other, so this checks whatever the call has locked again after the call.
 */
export async function damageOf(core: Filtered, changes: readonly KernelChange[]): Promise<KernelChange[]> {
  const damage: KernelChange[] = [];
  for (const [key, suspects] of Map.groupBy(suspectsOf(core, changes), (suspect) => suspect.key)) {
    const suspected = suspects.map(({ change }) => change);
    if (key === undefined) damage.push(...suspected);
    else {
      using _lock = await core.lock(key);
      damage.push(...suspectsOf(core, suspected).map(({ change }) => change));
    }
  }
  const chains = changes.filter(({ kind }) => kind === 'chain');
  if (chains.length > 0 && ((await lacksAdmission(core)) || (await lacksSource(core)))) damage.push(...chains);
  return damage;
}

/** Returns true if a network's bridge is in no zone of firewalld, or is not admitted otherwise. */
async function lacksAdmission(core: Filtered): Promise<boolean> {
  for (const { name, device } of core.store.networks.list()) {
    using _lock = await core.lock(deviceKey({ name, device }));
    const row = core.store.networks.get(name);
    if (row?.device !== device) continue;
    for (const [backend, entries] of desiredEntries([row], [])) {
      const admitted = entries.filter(({ kind }) => kind === 'admit');
      if ((await core.firewall(backend).missing(admitted)).length > 0) return true;
    }
  }
  return await lacksOwnAdmission(core);
}

/** The same of endpoints whose host side is no bridge port. */
async function lacksOwnAdmission(core: Filtered): Promise<boolean> {
  for (const { attachment, role } of core.store.endpoints.list().filter((row) => rulesOf(row) !== undefined)) {
    using _lock = await core.lock(attachmentKey(attachment));
    const row = core.store.endpoints.get(attachment, role);
    const rules = row?.progress === 'ready' ? rulesOf(row) : undefined;
    const admitted = rules?.entries.filter(({ kind }) => kind === 'admit') ?? [];
    if (rules !== undefined && (await core.firewall(rules.backend).missing(admitted)).length > 0) return true;
  }
  return false;
}

/** Returns true if an address that we have put into a zone of firewalld is no longer there. */
async function lacksSource(core: Filtered): Promise<boolean> {
  const parts = core.store.endpoints.list().filter(({ kind, progress }) => kind === 'firewall' && progress === 'ready');
  const sources = desiredEntries([], parts).get('firewalld') ?? [];
  const missing = sources.length === 0 ? [] : await core.firewall('firewalld').missing(sources);
  if (missing.length === 0) return false;
  const lost = new Set(missing.map(entryKey));
  // A call that has its lock may be about to take them out.
  for (const { attachment, role } of parts) {
    using _lock = await core.lock(attachmentKey(attachment));
    const row = core.store.endpoints.get(attachment, role);
    if (row?.progress !== 'ready') continue;
    const entries = desiredEntries([], [row]).get('firewalld') ?? [];
    const suspected = entries.filter((entry) => lost.has(entryKey(entry)));
    if ((await core.firewall('firewalld').missing(suspected)).length > 0) return true;
  }
  return false;
}

function suspectsOf(core: Records, changes: readonly KernelChange[]): Suspect[] {
  const networks = core.store.networks.list();
  if (networks.length === 0) return [];
  const devices = new Map(networks.flatMap((row) => devicesOf(row).map((name) => [name, deviceKey(row)])));
  const ofLink = linkJudge(core, devices);
  const ofSide = sideJudge(core);
  const gone = new Set(changes.flatMap((one) => (one.kind === 'link' && one.event === 'delete' ? [one.name] : [])));
  return changes.flatMap((change): Suspect[] => {
    // A veth that is gone stays gone: its container ended, or a DEL that could not write its record deleted it.
    if (change.kind === 'link' && gone.has(change.name) && !devices.has(change.name)) return [];
    if (change.kind === 'bridge' || change.kind === 'chain' || change.kind === 'port') return [];
    if (change.kind !== 'link' && change.kind !== 'address' && change.kind !== 'route') return [{ change }];
    const key = change.kind === 'link' ? ofLink(change.name) : (devices.get(change.name) ?? ofSide(change.name));
    return key === undefined ? [] : [{ change, key }];
  });
}

/** The bridge and the devices created with it, such as that of a VLAN's gateway; of a parent only one that we made. */
function devicesOf({ device, driver, owned }: NetworkRow): string[] {
  const found = isOnParent(driver) ? [] : [device];
  return [...found, ...owned.flatMap((one) => (one.kind === 'link' ? [one.name] : []))];
}

/** The lock of a damaged link. Reads the endpoints only if the link belongs to no network. */
function linkJudge({ host, store }: Records, devices: ReadonlyMap<string, string>) {
  let ports: ReadonlyMap<string, Endpoint> | undefined;
  return (name: string): string | undefined => {
    const device = devices.get(name);
    const state = host.observe(host.own, { links: [name] }).links.get(name);
    if (device !== undefined) return state?.up === true ? undefined : device;
    if (state?.up === true && state.master !== undefined) return undefined;
    ports ??= new Map(store.endpoints.list().flatMap(portOf));
    const row = ports.get(name);
    if (row === undefined || state === undefined || (state.up && hostSideOf(row) !== undefined)) return undefined;
    return attachmentKey(row.attachment);
  };
}

/** The lock of a host side that has lost an address or a route of its own. */
function sideJudge({ host, store }: Records) {
  let sides: ReadonlyMap<string, Endpoint> | undefined;
  return (name: string): string | undefined => {
    sides ??= new Map(store.endpoints.list().flatMap((row) => (hostSideOf(row) === undefined ? [] : portOf(row))));
    const row = sides.get(name);
    const side = row && hostSideOf(row);
    if (row === undefined || side === undefined) return undefined;
    const view = host.observe(host.own, { links: [name], addresses: [name], routes: true });
    return view.links.has(name) && lackingHostSide(side, view).length > 0 ? attachmentKey(row.attachment) : undefined;
  };
}

function portOf(row: Endpoint): [string, Endpoint][] {
  const hostIf = hostIfOf(row);
  return row.progress === 'ready' && hostIf !== undefined ? [[hostIf, row]] : [];
}
