import { deleteGone } from '../../../cmd/cnm-shim/docker/gone.ts';
import type { PortMapping } from '../../../src/shared/config/port-mappings.ts';
import { attachmentKey } from '../../../src/shared/core/apply.ts';
import { collectGarbage } from '../../../src/shared/core/collect-garbage.ts';
import { checkEndpoint } from '../../../src/shared/core/endpoints/check-endpoint.ts';
import { createEndpoint } from '../../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../../src/shared/core/endpoints/delete-endpoint.ts';
import { deleteOffered, offerEndpoint } from '../../../src/shared/core/endpoints/offer-endpoint.ts';
import { createNetwork } from '../../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../../src/shared/core/networks/delete-network.ts';
import { poolSource } from '../../../src/shared/core/pool-source.ts';
import { publishPorts } from '../../../src/shared/core/ports/publish-ports.ts';
import { catchUp, type ReconcileOptions, reconcile } from '../../../src/shared/core/reconcile.ts';
import type { EndpointReport, EndpointRequest, Expectation } from '../../../src/shared/core/requests.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Addr } from '../../../src/shared/model/addr.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import { digest } from '../../../src/shared/model/attachment.ts';
import { routeOf } from '../../support/addresses.ts';
import { addRequest, delRequest, OTHER, POD, scopeOf } from '../../support/core.ts';
import { DOCKER, specFor } from '../../support/kept-network.ts';
import { addressesOf, dockerRules, offerRequest } from '../../support/offers.ts';
import { range } from '../../unit/ipam-support.ts';
import type { PartyCore } from './gate.ts';

/**
 * The calls of parties: the only file of the suite that names functions of the core. Each name below is one call of a
 * runtime or of dockerd, or one pass over everything.
 */
export type Call =
  | { readonly name: 'ADD' | 'DEL' | 'CHECK'; readonly of: PodName }
  | { readonly name: 'offer' | 'withdraw'; readonly of: 'd1' }
  | { readonly name: 'GC'; readonly keep: readonly PodName[] }
  | { readonly name: 'repair' | 'reload' | 'rebuild' | 'docker' | 'network create' | 'network rm' };

export type CallName = Call['name'];
/** `c1` and `c2` are pods of the CNI, `d1` is a container of Docker's; all are on one network. */
export type PodName = 'c1' | 'c2';
export type Name = PodName | 'd1';

export const NETWORK = 'web';
export const NAMES: readonly Name[] = ['c1', 'c2', 'd1'];
export const SCOPE = scopeOf({ network: NETWORK });
const SUBNETS = ['10.88.0.0/24', 'fd00:88::/64'];
const RULES = dockerRules();
const NETNS = { c1: POD, c2: OTHER };
const HOST_PORTS = { c1: 8080, c2: 8081, d1: 8082 };
/** Docker chooses the addresses of its endpoints: 10.88.0.50 and fd00:88::50. */
const DOCKER_ADDRESS = 50;

/** Context of calls, beside the core. */
export interface Scene {
  /** The endpoints that publish a host port. */
  readonly published: ReadonlySet<Name>;
  /** The results of ADD. */
  readonly reports: Map<Name, EndpointReport>;
  /** Addresses that an ADD requests; absent: any. */
  readonly addresses?: ReadonlyMap<Name, readonly Addr[]>;
}

export function attachmentOf(name: Name): Attachment {
  if (name !== 'd1') return { camp: 'cni', network: NETWORK, containerId: name, ifName: 'eth0' };
  const containerId = digest('endpoint', 'd1');
  return { camp: 'cnm', network: NETWORK, containerId, ifName: `peer${containerId.slice(0, 11)}` };
}

/** `attachment:web/c1`. */
export function formatLock(key: string): string {
  const name = NAMES.find((one) => attachmentKey(attachmentOf(one)) === key);
  return name === undefined ? key : `attachment:${NETWORK}/${name}`;
}

function hostPortOf(name: Name): number {
  return HOST_PORTS[name];
}

/** Makes the call as the programs do: it first reconciles the state with the kernel. Rejects with the first failure. */
export async function perform(core: PartyCore, call: Call, scene: Scene): Promise<void> {
  if (call.name === 'rebuild') core.changes.write(core.changes.read() + 1);
  catchUp(core);
  const failures = await carryOut(core, call, scene);
  if (failures[0] !== undefined) throw failures[0];
}

/** The work of a daemon at its start, followed by dockerd's view. */
export async function start(core: PartyCore): Promise<NetError[]> {
  catchUp(core);
  const { errors } = await reconcile(core, { ...optionsOf(core), sweep: true });
  return [...errors, ...(await deleteGone(core))];
}

async function carryOut(core: PartyCore, call: Call, scene: Scene): Promise<readonly NetError[]> {
  switch (call.name) {
    case 'ADD':
      scene.reports.set(call.of, await createEndpoint(core, request(core, call.of, scene)));
      return [];
    case 'DEL':
      return await deleteEndpoint(core, delRequest(whichOf(call.of), core.host.identity));
    case 'CHECK':
      await checkEndpoint(core, request(core, call.of, scene), expectationOf(scene.reports.get(call.of)));
      return [];
    case 'GC': {
      const { source } = delRequest({ id: '', network: NETWORK }, core.host.identity);
      const keep = call.keep.map(attachmentOf);
      const pool = source === undefined ? {} : { source };
      return await collectGarbage(core, { camp: 'cni', network: NETWORK, keep, interfaces: true, ...pool });
    }
    case 'offer':
      return await offer(core, scene);
    case 'withdraw':
      return await deleteOffered(core, attachmentOf('d1'));
    case 'repair':
      return (await reconcile(core, optionsOf(core))).errors;
    case 'reload':
      return (await reconcile(core, { ...optionsOf(core), sweep: true })).errors;
    case 'rebuild':
      return [];
    case 'docker':
      return [...(await deleteGone(core)), ...(await reconcile(core, optionsOf(core))).errors];
    case 'network create':
      await createNetwork(core, { name: NETWORK, holder: DOCKER, spec: spec() });
      return [];
    case 'network rm':
      return await deleteNetwork(core, NETWORK, DOCKER);
  }
}

function optionsOf({ tryLock, wait }: PartyCore): ReconcileOptions {
  return { tryLock, wait };
}

/** CreateEndpoint, then ProgramExternalConnectivity; dockerd deletes the endpoint if the second fails. */
async function offer(core: PartyCore, { published }: Scene): Promise<readonly NetError[]> {
  const conf = { name: NETWORK, bridge: 'isth0' };
  const attachment = attachmentOf('d1');
  const addressing = addressesOf(DOCKER_ADDRESS);
  const made = offerRequest(2, { conf, rules: RULES, scope: SCOPE });
  await offerEndpoint(core, { ...made, attachment, addressing, driver: request(core, 'c1', EMPTY).driver });
  if (!published.has('d1')) return [];
  const hostPort = hostPortOf('d1');
  const port = { protocol: 'tcp', hostPort, hostPortEnd: hostPort, containerPort: 80 } as const;
  try {
    await publishPorts(core, attachment, RULES, addressing, [port]);
    return [];
  } catch (thrown) {
    await deleteOffered(core, attachment);
    throw thrown;
  }
}

const EMPTY: Scene = { published: new Set(), reports: new Map() };

function request(core: PartyCore, name: PodName, { published, addresses }: Scene): EndpointRequest {
  const which = whichOf(name);
  const { identity } = core.host;
  const owner = attachmentOf(name);
  const mapping: PortMapping = { protocol: 'tcp', hostPort: hostPortOf(name), containerPort: 80 };
  const routes = [routeOf('0.0.0.0/0'), routeOf('::/0')];
  const requested = addresses?.get(name) ?? [];
  const pool = { scope: SCOPE, sets: SUBNETS.map((subnet) => [range(subnet)]), requested, routes, dns: {} };
  return {
    ...addRequest(which, identity, poolSource(pool, owner, identity)),
    rules: { ...RULES, mappings: published.has(name) ? [mapping] : [] },
    spec: spec(),
  };
}

function spec() {
  const { backend, options, admit } = RULES;
  return { ...specFor(NETWORK), rules: { backend, options, admit } };
}

function whichOf(name: PodName) {
  return { id: name, network: NETWORK, netns: NETNS[name] };
}

function expectationOf(report: EndpointReport | undefined): Expectation {
  const { interfaces = [], addresses = [], routes = [] } = report ?? {};
  return { interfaces: interfaces.filter(({ inSandbox }) => inSandbox), addresses, routes };
}
