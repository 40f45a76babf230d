import type { Core } from '../core/core.ts';
import { desiredEntries } from '../core/desired.ts';
import { missingEntries } from '../core/diff.ts';
import { isUsed } from '../core/networks/record.ts';
import { asNetError } from '../errors/net-error.ts';
import { campName } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { given } from '../model/given.ts';
import { inspectState, type StateInspection } from '../store/inspect.ts';
import type { NetworkRow } from '../store/store.ts';
import type { ControlAnswer } from './control.ts';
import { attachmentsOf, isReady } from './endpoints.ts';
import { networkRows } from './network-rows.ts';
import { type SubnetInfo, subnetsOf } from './networks.ts';
import type {
  EndpointCount,
  FilterInfo,
  NetworkStatus,
  StatusInfo,
  SubnetStatus,
  UnfinishedInfo,
} from './status-info.ts';

/** Entries that are looked at. A flush takes all of them, and each takes time. */
const CHECKED = 100;

export interface StatusQuestion {
  /** Of this program. */
  readonly version: string;
  readonly stateDir: string;
  readonly control: ControlAnswer;
}

/** Reads the status. Changes nothing, also where the state is broken. */
export async function readStatus(core: Core, { version, stateDir, control }: StatusQuestion): Promise<StatusInfo> {
  const { exists, ...inspected } = inspectState(stateDir, core.host.identity, { whole: true });
  const obstacle = obstacleOf(core, { exists, ...inspected });
  const isReadable = exists && obstacle === undefined;
  const [rows, parts] = isReadable
    ? core.store.snapshot(() => [core.store.networks.list(), core.store.endpoints.list()] as const)
    : [[], []];
  const filters = await filtersOf(core, rows, parts);
  const networks = await networksOf(core, networkRows(core, rows, parts), parts);
  const unfinished = parts.filter(({ progress }) => progress === 'intent').map(unfinishedOf);
  const isDockerUsed = isReadable && core.store.dockerNetworks.list().length > 0;
  const problems = [
    ...daemonProblems(control, version, isDockerUsed),
    ...(obstacle === undefined ? [] : [obstacle]),
    ...(inspected.unwritable === undefined ? [] : [`state ${stateDir}: ${inspected.unwritable}`]),
    ...forwardingProblems(core, rows),
    ...networks.flatMap(networkProblems),
    ...filters.flatMap(({ info, problem }) => filterProblems(info, problem)),
    ...(unfinished.length === 0 ? [] : [`${unfinished.length} calls are under way, or ended before they were done`]),
  ];
  const { status, ...rest } = control.state === 'answers' ? control : { ...control, status: undefined };
  const { lastErrors = [], ...daemon } = status ?? {};
  return {
    ok: problems.length === 0,
    version,
    daemon: { ...rest, ...daemon },
    state: { dir: stateDir, exists },
    filters: filters.map(({ info }) => info),
    networks,
    endpoints: countsOf(parts),
    unfinished,
    lastErrors: lastErrors.toSorted((a, b) => (a.at < b.at ? 1 : -1)),
    problems,
  };
}

/** Why the state cannot be read. */
function obstacleOf(core: Core, { exists, broken, newerSchema }: StateInspection): string | undefined {
  if (!exists) return undefined;
  if (broken !== undefined) return `state.db cannot be read: ${broken}`;
  if (newerSchema !== undefined) return 'state.db was written by a newer version';
  try {
    core.store.refresh();
    return undefined;
  } catch (thrown) {
    return asNetError(thrown, 'status').message;
  }
}

interface CheckedFilter {
  readonly info: FilterInfo;
  /** Why it cannot be read. */
  readonly problem?: string;
}

async function filtersOf(
  core: Core,
  rows: readonly NetworkRow[],
  parts: readonly Endpoint[],
): Promise<readonly CheckedFilter[]> {
  const { bootId } = core.host.identity;
  const current = rows.filter((row) => row.bootId === bootId && isUsed(core, row));
  const ready = parts.filter(({ progress }) => progress === 'ready');
  const found: CheckedFilter[] = [];
  const ofNetworks = desiredEntries(current, []);
  // Those of networks come first.
  for (const [backend, entries] of desiredEntries(current, ready, rows)) {
    const networkEntries = ofNetworks.get(backend)?.length ?? 0;
    if (entries.length === 0 || backend === 'none') continue;
    try {
      const looked = entries.slice(0, Math.max(CHECKED, networkEntries));
      const missing = await missingEntries(core.firewall(backend), looked, async () => {}, true);
      found.push({ info: { backend, entries: entries.length, checked: looked.length, missing: missing.length } });
    } catch (thrown) {
      const problem = asNetError(thrown, 'status').message;
      found.push({ info: { backend, entries: entries.length, checked: 0, missing: 0 }, problem });
    }
  }
  return found;
}

async function networksOf(
  core: Core,
  rows: readonly NetworkRow[],
  parts: readonly Endpoint[],
): Promise<NetworkStatus[]> {
  const { links } = core.host.observe(core.host.own, { links: rows.map(({ device }) => device).filter(Boolean) });
  const users = Map.groupBy(
    parts.filter(({ role }) => role === 'interface'),
    ({ attachment }) => attachment.network,
  );
  return await Promise.all(
    rows.map(async (row): Promise<NetworkStatus> => {
      const { name, driver, device } = row;
      return {
        name,
        driver,
        ...given({ device: device === '' ? undefined : device }),
        present: device === '' || links.has(device),
        up: links.get(device)?.up !== false,
        endpoints: users.get(name)?.length ?? 0,
        subnets: (await subnetsOf(core, row)).map(subnetStatus),
      };
    }),
  );
}

function subnetStatus({ subnet, size, leased }: SubnetInfo): SubnetStatus {
  return { subnet, size, ...(leased !== undefined && { used: leased, free: Math.max(size - leased, 0) }) };
}

function countsOf(parts: readonly Endpoint[]): EndpointCount[] {
  const all = attachmentsOf(parts);
  return (['cni', 'docker'] as const).map((camp) => {
    const own = all.filter(([{ attachment }]) => campName(attachment.camp) === camp);
    const ready = own.filter(isReady).length;
    return { camp, ready, unfinished: own.length - ready };
  });
}

function unfinishedOf({ attachment, role }: Endpoint): UnfinishedInfo {
  const { network, camp, containerId: id } = attachment;
  return { network, camp: campName(camp), id, role };
}

/** An absent daemon is a problem for Docker's networks only: CNI calls do without. */
function daemonProblems(control: ControlAnswer, version: string, isDockerUsed: boolean): string[] {
  switch (control.state) {
    case 'answers':
      return control.status.version === version
        ? []
        : [`the daemon is version ${control.status.version}, and this program is ${version}`];
    case 'absent':
      return isDockerUsed ? ['the daemon does not run, and Docker networks need it'] : [];
    default:
      return [`the daemon is of no use: ${control.why}`];
  }
}

const FORWARDING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;

function forwardingProblems(core: Core, rows: readonly NetworkRow[]): string[] {
  const routed = rows.filter((row) => row.spec?.rules !== undefined && isUsed(core, row));
  const families = new Set(
    routed.flatMap(({ spec }) => spec?.ranges.flat().map(({ subnet }) => subnet.addr.family) ?? []),
  );
  const keys = [...families].map((family) => FORWARDING[family]);
  const { sysctls } = core.host.observe(core.host.own, { sysctls: keys });
  return keys.filter((key) => sysctls.get(key) === '0').map((key) => `forwarding is off (${key.replaceAll('/', '.')})`);
}

function networkProblems({ name, device, present, up, subnets }: NetworkStatus): string[] {
  const full = subnets.filter(({ free, size }) => free === 0 && size > 0);
  return [
    ...(present ? [] : [`network ${name}: its device ${device} is missing`]),
    ...(up ? [] : [`network ${name}: its device ${device} is down`]),
    ...full.map(({ subnet }) => `network ${name}: no address of ${subnet} is free`),
  ];
}

function filterProblems({ backend, checked, missing }: FilterInfo, problem?: string): string[] {
  if (problem !== undefined) return [problem];
  return missing === 0 ? [] : [`${missing} of ${checked} entries of the packet filter (${backend}) are missing`];
}
