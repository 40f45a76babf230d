import { parseNetconf } from '../../src/shared/config/netconf.ts';
import type { AddressSource, Core, DelegateSource } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { leaseKeeper, poolSource, staticSource } from '../../src/shared/core/pool-source.ts';
import type { EndpointReport, EndpointRequest, RemovalRequest } from '../../src/shared/core/requests.ts';
import { bridgeDriver } from '../../src/shared/drivers/bridge/bridge.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { NO_FIREWALLER } from '../../src/shared/firewall/firewaller.ts';
import type { Host, HostIdentity } from '../../src/shared/host/host.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { MemoryDisk, MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { range } from '../unit/ipam-support.ts';
import { routeOf } from './addresses.ts';

export interface TestCore extends Core {
  /** Events of the log, with their fields. */
  readonly logged: string[];
  /** Keys of held locks, by a call or by another process. */
  readonly taken: Set<string>;
  /** Keys that calls have locked, in order. */
  readonly locked: string[];
  /** The result of the core's `delegate`. */
  readonly delegates: Map<string, DelegateSource>;
}

/** A core on `host` with a state in memory. A lock that is taken twice, which would never be had, is `busy` at once. */
export function makeCore(host: Host, disk = new MemoryDisk(), count = { value: 0 }): TestCore {
  const taken = new Set<string>();
  const locked: string[] = [];
  const logged: string[] = [];
  const delegates = new Map<string, DelegateSource>();
  const log = (event: string, fields = {}): void => void logged.push(`${event} ${JSON.stringify(fields)}`);
  return {
    host,
    store: new MemoryStore(host.identity, disk),
    changes: { read: () => count.value, write: (value) => void Object.assign(count, { value }) },
    log: { debug: log, info: log, warn: log, error: log },
    firewall: () => NO_FIREWALLER,
    logged,
    taken,
    locked,
    delegates,
    lock: async (key) => {
      if (taken.has(key)) throw new NetError({ kind: 'busy', op: 'lock', subject: key, what: 'is held' });
      taken.add(key);
      locked.push(key);
      return { [Symbol.dispose]: () => void taken.delete(key) };
    },
    plugin: (name) => Promise.reject(new Error(`there is no plugin ${name} here`)),
    delegate: (type) => {
      const found = delegates.get(type);
      if (found !== undefined) return found;
      throw new NetError({ kind: 'bad-environment', op: 'ipam', subject: 'CNI_PATH=', what: `has no "${type}"` });
    },
  };
}

/** Which attachment a test means; everything has a default. */
export interface Which {
  readonly id?: string;
  readonly ifName?: string;
  readonly network?: string;
  readonly camp?: Attachment['camp'];
  readonly netns?: string;
  /** Keys of the network configuration. */
  readonly conf?: Readonly<Record<string, unknown>>;
  /** True: the configuration is one of a drop-in name. Default: false. */
  readonly isDropIn?: boolean;
}

export const POD = '/run/netns/pod';
export const OTHER = '/run/netns/other';
/** The path that opens a FakeHost's own namespace. */
export const HOST_PATH = '/proc/1/ns/net';
const SUBNETS = ['10.88.0.0/24', 'fd00:88::/64'];

export function attachmentOf({ id = 'a', ifName = 'eth0', network = 'web', camp = 'cni' }: Which = {}): Attachment {
  return { camp, network, containerId: id, ifName };
}

/** The scope in which the pool of a network keeps its leases. */
export function scopeOf({ network = 'web' }: Which = {}): string {
  return `/var/lib/cni/networks/${network}`;
}

/** One address of each family for the attachment, with a default route each. */
export function pool(which: Which, identity: HostIdentity): AddressSource {
  const sets = SUBNETS.map((subnet) => [range(subnet)]);
  const routes = [routeOf('0.0.0.0/0'), routeOf('::/0')];
  return poolSource({ scope: scopeOf(which), sets, requested: [], routes, dns: {} }, attachmentOf(which), identity);
}

export function fixed(...addresses: readonly string[]): AddressSource {
  const assigned = addresses.flatMap((text) => {
    const address = parsePrefix(text);
    return address === undefined ? [] : [{ address }];
  });
  return staticSource(assigned, [], {});
}

/** A gateway bridge `isth0` with the pool of its network; no addresses where `source` is null. */
export function addRequest(which: Which, identity: HostIdentity, source?: AddressSource | null): EndpointRequest {
  const { network = 'web', netns = POD, conf = {}, isDropIn = false } = which;
  const gateway = source === null ? {} : { isGateway: true, ipam: { type: 'host-local' } };
  const config = { name: network, bridge: 'isth0', ...gateway, ...conf };
  const { options, aliases } = parseNetconf({ config, strict: !isDropIn });
  if (options.driver !== 'bridge') throw new Error('a bridge is wanted');
  const from = source === undefined ? pool(which, identity) : source;
  return {
    attachment: attachmentOf(which),
    role: 'interface',
    netns,
    ownNamespace: false,
    driver: bridgeDriver(options, network),
    driverName: 'bridge',
    aliases,
    ...(from === null ? {} : { source: from }),
  };
}

export function delRequest(which: Which, identity: HostIdentity, source?: AddressSource | null): RemovalRequest {
  const from = source === undefined ? leaseKeeper(scopeOf(which), attachmentOf(which), identity) : source;
  return {
    attachment: attachmentOf(which),
    role: 'interface',
    netns: which.netns ?? POD,
    orphans: 'own',
    ...(from === null ? {} : { source: from }),
  };
}

/** Everything on record, of every network that tests use. */
export function recordsOf({ store }: Core, networks: readonly string[] = ['web', 'other']): object {
  return {
    networks: store.networks.list().map(({ name }) => name),
    endpoints: store.endpoints
      .list()
      .map(
        ({ attachment }) => `${attachment.camp} ${attachment.network} ${attachment.containerId} ${attachment.ifName}`,
      ),
    leases: networks.flatMap((network) => store.leases.list(scopeOf({ network }))).length,
  };
}

export const NOTHING = { networks: [], endpoints: [], leases: 0 };

/** A host on which forwarding is on (a network turns it on and leaves it on), with two pods. */
export function makeFakeHost(own: FakeSeed = {}, identity: Partial<HostIdentity> = {}): FakeHost {
  const sysctls = { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1', ...own.sysctls };
  return new FakeHost({
    identity,
    own: { ...own, sysctls },
    namespaces: { [POD]: {}, [OTHER]: {} },
    ownPaths: [HOST_PATH],
  });
}

export function add(core: Core, which: Which = {}): Promise<EndpointReport> {
  return createEndpoint(core, addRequest(which, core.host.identity));
}

export function del(core: Core, which: Which = {}): Promise<NetError[]> {
  return deleteEndpoint(core, delRequest(which, core.host.identity));
}

/** For assert.rejects. */
export function refusedWith(kind: NetError['kind'], text: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof NetError && error.kind === kind && text.test(error.message);
}
