import { existsSync } from 'node:fs';
import type { NetError } from '../../errors/net-error.ts';
import type { Host, HostIdentity, Namespace, Namespaces, View, ViewQuery } from '../../host/host.ts';
import { inverseOf, queryBefore } from '../../host/inverse.ts';
import { parseAlias, parseDeviceAlias, parseMovedAlias } from '../../model/alias.ts';
import type { Op } from '../../model/op.ts';
import { FakeHost } from '../../testing/fake-host.ts';
import { FakeNetns, type FakeSeed } from '../../testing/fake-netns.ts';

/** Opens the namespace of the host itself. */
export const HOST_NETNS = '/proc/1/ns/net';

/** Receives each op in order, with the ops that restore what it changes. */
export type Recorder = (op: Op, undo: readonly Op[]) => void;

/** RTPROT_KERNEL: the kernel makes these routes of the addresses. */
const OF_KERNEL = 2;

/**
 * A host that only records what it is told to change. It begins as `real` is now, without the devices and addresses that
 * are Isthmus's; the sandbox `netns` is new. What it shows later follows from the recorded ops.
 */
export class DryHost implements Host {
  readonly identity: HostIdentity;
  readonly own: FakeNetns;
  readonly #real: Host;
  readonly #fake: FakeHost;
  readonly #record: Recorder;
  readonly #read = new Set<string>();

  /** `inside`: devices of the host that are in this namespace now count as not moved yet. */
  constructor(real: Host, netns: string, record: Recorder, inside?: Namespace) {
    this.#real = real;
    this.#record = record;
    this.identity = real.identity;
    this.#fake = new FakeHost({
      identity: real.identity,
      own: seedOf(real, inside),
      namespaces: { [netns]: {} },
      ownPaths: [HOST_NETNS],
      ipv6: existsSync('/proc/sys/net/ipv6'),
    });
    this.own = this.#fake.own;
    this.own.rules = real.observe(real.own, { rules: true }).rules;
  }

  open(path: string): Namespace {
    return this.#fake.open(path);
  }

  observe(ns: Namespace, query: ViewQuery): View {
    if (ns !== this.own) {
      if (ns instanceof FakeNetns) this.#addSysctls(ns, query.sysctls ?? []);
      return this.#fake.observe(ns, query);
    }
    this.#readSysctls(query.sysctls ?? []);
    const view = this.#fake.observe(ns, query);
    const { listeners = [], holders = [], program } = query;
    if (listeners.length === 0 && holders.length === 0) return view;
    // Ports that others have are as they are now.
    const now = this.#real.observe(this.#real.own, {
      ...{ listeners, holders },
      ...(program === undefined ? {} : { program }),
    });
    return { ...view, listeners: now.listeners, holders: now.holders };
  }

  apply(ops: readonly Op[], namespaces: Namespaces): void {
    for (const op of ops) {
      const ns = namespaces[op.ns];
      const undo = ns === undefined ? [] : inverseOf(op, this.observe(ns, queryBefore(op)));
      this.#fake.apply([op], namespaces);
      const isOwn = namespaces.sandbox === this.own;
      this.#record(isOwn ? onHost(op) : op, isOwn ? undo.map(onHost) : undo);
    }
  }

  revert(ops: readonly Op[], namespaces: Namespaces): NetError[] {
    return this.#fake.revert(ops, namespaces);
  }

  /** A new namespace has the keys of a device that this kernel has, with the values of new devices. */
  #addSysctls(ns: FakeNetns, keys: readonly string[]): void {
    for (const key of keys) {
      if (!ns.links.has(deviceIn(key)) || this.#fake.observe(ns, { sysctls: [key] }).sysctls.has(key)) continue;
      const general = ofNewDevices(key);
      const value = this.#real.observe(this.#real.own, { sysctls: [general] }).sysctls.get(general);
      if (value !== undefined) ns.sysctls.set(key, value);
    }
  }

  /** Reads keys from the kernel at first use. A device that is not there yet has the values of new ones. */
  #readSysctls(keys: readonly string[]): void {
    for (const key of keys) {
      if (this.#read.has(key)) continue;
      this.#read.add(key);
      const general = ofNewDevices(key);
      const { sysctls } = this.#real.observe(this.#real.own, { sysctls: [key, general] });
      const value = sysctls.get(key) ?? (this.own.links.has(deviceIn(key)) ? sysctls.get(general) : undefined);
      if (value !== undefined && !this.own.sysctls.has(key)) this.own.sysctls.set(key, value);
    }
  }
}

/** The op where the host's own namespace is the sandbox, as for an interface that dockerd moves later. */
function onHost(op: Op): Op {
  if (op.ns === 'host' && op.op !== 'link.create' && op.op !== 'link.move') return op;
  if (op.op === 'link.move') return { ...op, ns: 'host', to: 'host' };
  if (op.op !== 'link.create' || op.link.kind !== 'veth') return { ...op, ns: 'host' } as Op;
  return { ...op, ns: 'host', link: { ...op.link, peer: { ...op.link.peer, ns: 'host' } } };
}

function ofNewDevices(key: string): string {
  return key.replace(/^(net\/ipv[46]\/conf\/)[^/]+\//, '$1default/');
}

function deviceIn(key: string): string {
  return /^net\/ipv[46]\/conf\/([^/]+)\//.exec(key)?.[1] ?? '';
}

/** The host's own namespace, without loopback and what is Isthmus's. */
function seedOf(real: Host, inside: Namespace | undefined): FakeSeed {
  const view = real.observe(real.own, { links: 'all', addresses: 'all', routes: true });
  const links = [...view.links.values()].filter(
    ({ alias, loopback }) => !loopback && parseAlias(alias) === undefined && parseDeviceAlias(alias) === undefined,
  );
  const names = new Set(links.map(({ name }) => name));
  return {
    links: [...links, ...(inside === undefined ? [] : movedInto(real, inside))],
    addresses: view.addresses.filter(({ dev }) => names.has(dev)),
    routes: view.routes.filter(({ dev = '', protocol }) => names.has(dev) && protocol !== OF_KERNEL),
  };
}

/** The devices that an attachment has moved into the namespace, by the names that they had. */
function movedInto(real: Host, inside: Namespace): NonNullable<FakeSeed['links']> {
  return [...real.observe(inside, { links: 'all' }).links.values()].flatMap(({ index, alias, ...link }) => {
    const moved = parseMovedAlias(alias);
    return moved === undefined ? [] : [{ ...link, name: moved.dev, up: false }];
  });
}
