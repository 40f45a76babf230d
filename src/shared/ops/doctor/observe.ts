import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../../core/core.ts';
import { lacksOfEndpoints } from '../../core/endpoints/mend-endpoints.ts';
import { lackOfNetwork } from '../../core/networks/mend-networks.ts';
import { isUsed } from '../../core/networks/record.ts';
import { leftInPlugins } from '../../core/plugins/left.ts';
import { isCurrent } from '../../core/reconcile.ts';
import { asNetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { attachmentDigest } from '../../model/attachment.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import { inspectState, type StateInspection } from '../../store/inspect.ts';
import type { LocalStore, NetworkRow } from '../../store/store.ts';
import type { ControlAnswer } from '../control.ts';
import { subnetsOf } from '../networks.ts';
import type { CniFacts, DockerFacts, Facts, NetworkFacts, PathFacts, RecordFacts, StateFacts } from './facts.ts';
import { observeDrops } from './observe-drops.ts';
import { observeSandboxes } from './observe-sandboxes.ts';
import { listeningDaemons, observeKernel, settingsOf } from './observe-system.ts';
import { uplinksOf } from './rules/kernel.ts';

/** What the facts need besides the core. */
export interface Surroundings {
  /** Of this program. */
  readonly version: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** Read before anything opens the state, which takes permissions of others from its files. */
  readonly paths: readonly PathFacts[];
  readonly cni: CniFacts;
  readonly control: ControlAnswer;
  /** Absent if no dockerd answers. */
  readonly docker?: readonly DockerFacts[];
  /** Prefix of /proc, /sys and /lib. Default: `/`. */
  readonly root?: string;
  /** Milliseconds since the epoch. Default: the clock. */
  readonly now?: number;
}

/** Reads all that the rules look at. Changes nothing, also where the state is broken or does not agree with this boot. */
export async function observe(core: Core, around: Surroundings): Promise<Facts> {
  const { host } = core;
  const { version, stateDir, runDir, paths, cni, control, docker, root = '/', now = Date.now() } = around;
  const inspected = inspectState(stateDir, host.identity, { whole: true });
  const { records, unusable } = await openRecords(core, inspected);
  const isReadable = records !== undefined;
  const { networks: rows = [], endpoints = [] } = records ?? {};
  const used = isReadable ? rows.filter((row) => isUsed(core, row)) : [];
  const networks = await Promise.all(used.map((row) => networkFacts(core, row)));
  const view = observeHost(core, rows);
  return {
    version,
    uid: process.getuid?.() ?? 0,
    now,
    identity: host.identity,
    state: { ...stateFacts(core, stateDir, inspected, records), ...given({ unusable }) },
    ...given({ records, docker }),
    networks,
    lacks: isReadable ? await lacksOfEndpoints(core, endpoints, (ms) => sleep(ms)) : [],
    sandboxes: await observeSandboxes(core, endpoints),
    view,
    drops: await observeDrops(core, networks, { view, endpoints, uplinks: uplinksOf({ view }) }),
    kernel: observeKernel(root, view, rows, endpoints),
    paths,
    cni,
    daemon: {
      runDir,
      control,
      listening: listeningDaemons(root),
      hasSocket: paths.some(({ path, is }) => is === 'socket' && path === `${runDir}/cni.sock`),
    },
  };
}

/** The links, addresses and routes of the host, and the settings that rules look at. */
function observeHost({ host }: Core, rows: readonly NetworkRow[]): View {
  const routes = host.observe(host.own, { routes: true });
  const devices = [...rows.map(({ device }) => device), ...uplinksOf({ view: routes })].filter((name) => name !== '');
  const view = host.observe(host.own, { links: 'all', addresses: 'all', sysctls: settingsOf(devices) });
  return { ...view, routes: routes.routes };
}

interface Opened {
  readonly records?: RecordFacts;
  /** Why a state that is whole cannot be opened. */
  readonly unusable?: string;
}

async function openRecords(core: Core, inspected: StateInspection): Promise<Opened> {
  const { exists, broken, newerSchema } = inspected;
  if (!exists || broken !== undefined || newerSchema !== undefined) return {};
  try {
    return { records: await readRecords(core.store, inspected), ...given({ unusable: inspected.unwritable }) };
  } catch (thrown) {
    return { unusable: inspected.unwritable ?? asNetError(thrown, 'doctor').message };
  }
}

/** A call under way is not an unfinished one: its record changes within this many milliseconds. */
const CALL_MS = 300;

async function readRecords(store: LocalStore, { scopes }: StateInspection): Promise<RecordFacts> {
  const records = store.snapshot(() => {
    return {
      networks: store.networks.list(),
      endpoints: store.endpoints.list(),
      leases: scopes.flatMap((scope) => store.leases.list(scope)),
      dockerNetworks: store.dockerNetworks.list(),
      brokenNetworks: store.networks.broken(),
      brokenEndpoints: store.endpoints.broken(),
    };
  });
  const intents = records.endpoints.filter(({ progress }) => progress === 'intent');
  const seen = leftInPlugins(store);
  if (intents.length === 0 && seen.length === 0) return { ...records, unfinished: [], left: [] };
  await sleep(CALL_MS);
  const before = new Set(seen.map(({ what }) => what));
  const left = leftInPlugins(store).filter(({ what }) => before.has(what));
  const keys = new Set(intents.map(keyOf));
  const unfinished = store.endpoints.list().filter((part) => part.progress === 'intent' && keys.has(keyOf(part)));
  return { ...records, unfinished, left };
}

function keyOf({ attachment, role, stamp = '' }: Endpoint): string {
  return `${attachmentDigest(attachment)} ${role} ${stamp}`;
}

function stateFacts(core: Core, dir: string, found: StateInspection, records: RecordFacts | undefined): StateFacts {
  const times = [
    ...(records?.endpoints ?? []).map((part) => ('createdAt' in part ? (part.createdAt ?? 0) : 0)),
    ...(records?.dockerNetworks ?? []).map(({ createdAt }) => createdAt),
    ...(records?.leases ?? []).map(({ requestedAt = 0 }) => requestedAt),
  ];
  const latest = times.reduce((most, time) => Math.max(most, time), 0);
  return { ...found, dir, behind: records !== undefined && !isCurrent(core), latest };
}

async function networkFacts(core: Core, row: NetworkRow): Promise<NetworkFacts> {
  const subnets = await subnetsOf(core, row);
  try {
    return { row, subnets, lack: await lackOfNetwork(core, row) };
  } catch (thrown) {
    return { row, subnets, lack: { ops: [], entries: [] }, obstacle: asNetError(thrown, 'doctor') };
  }
}
