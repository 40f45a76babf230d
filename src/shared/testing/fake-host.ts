import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import { badOp, isAbsence, NO_FIREWALL, opError } from '../host/failure.ts';
import type { Holder, Host, HostIdentity, Namespace, Namespaces, PortQuery, View, ViewQuery } from '../host/host.ts';
import { UNKNOWN_KIND } from '../host/link-failure.ts';
import { hostId, sandboxId } from '../model/attachment.ts';
import { type LinkKind, parentedLink } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { EOPNOTSUPP } from '../netlink/constants.ts';
import { allRoutes, changeFakeAddress, changeFakeRoute } from './fake-addresses.ts';
import {
  changeFakeVlans,
  createFakeLink,
  deleteFakeLink,
  linkOf,
  removeLink,
  setFakeLink,
  setFakePort,
} from './fake-links.ts';
import { moveFakeLink, saveHardware } from './fake-moves.ts';
import { changeFakeForwarding, changeFakeNeighbour, ofDevices } from './fake-neighbours.ts';
import { FakeNetns, type FakeSeed } from './fake-netns.ts';
import { printNamespaces } from './fake-print.ts';
import { changeFakeRule } from './fake-rules.ts';
import { changeFakeShaping, fakeShaping } from './fake-shaping.ts';
import { fakeSysctl, setFakeSysctl } from './fake-sysctls.ts';
import { changeFakeTransforms, fakeTransforms } from './fake-transforms.ts';

export interface FakeOptions {
  readonly identity?: Partial<HostIdentity>;
  /** The host's own namespace; always has `lo`. */
  readonly own?: FakeSeed;
  /** Namespaces by path. */
  readonly namespaces?: Readonly<Record<string, FakeSeed>>;
  /** Additional paths that open the host's own namespace. */
  readonly ownPaths?: readonly string[];
  /** Paths of plain files. */
  readonly files?: readonly string[];
  /** False: the kernel has no IPv6 keys. Default true. */
  readonly ipv6?: boolean;
  /** False: the kernel has no ESP. Default true. */
  readonly esp?: boolean;
  /** Kinds of links that the kernel does not have. */
  readonly lacks?: readonly LinkKind['kind'][];
  /** Host ports that processes listen on. */
  readonly listeners?: readonly (PortQuery & Holder)[];
  /** Returns the errno that refuses an Op before it has any effect, or undefined. */
  readonly refuse?: (op: Op) => number | undefined;
}

/**
 * A host in memory that follows the kernel's rules as far as plans depend on them. `toString` prints its state as the
 * commands that would create it.
 */
export class FakeHost implements Host {
  readonly identity: HostIdentity;
  readonly own: FakeNetns;
  readonly #options: FakeOptions;
  readonly #namespaces = new Map<string, FakeNetns>();
  #made = 0;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    const bootId = '00000000-0000-4000-8000-000000000001';
    this.identity = { hostId: hostId('root'), bootId, bootedAt: 1_700_000_000_000, ...options.identity };
    this.own = this.#make('', options.own);
    for (const [path, seed] of Object.entries(options.namespaces ?? {})) this.addNamespace(path, seed);
  }

  open(path: string): FakeNetns {
    if (this.#options.ownPaths?.includes(path)) return this.own;
    const found = this.#namespaces.get(path);
    if (found !== undefined) return found;
    const isFile = this.#options.files?.includes(path);
    const what = isFile ? 'it is not a namespace' : 'there is no such file';
    const cause = Object.assign(new Error(what), { code: isFile ? 'EINVAL' : 'ENOENT' });
    throw fault.invalidNamespace('open', `namespace ${path}`, what, undefined, { cause });
  }

  /** Creates a namespace at `path`, replacing an existing one. */
  addNamespace(path: string, seed: FakeSeed = {}): FakeNetns {
    this.removeNamespace(path);
    const made = this.#make(path, seed);
    this.#namespaces.set(path, made);
    return made;
  }

  /** Deletes the namespace with its links, the other ends of its veths and all on them; hardware returns to the host. */
  removeNamespace(path: string): void {
    const gone = this.#namespaces.get(path);
    if (gone !== undefined) saveHardware(gone, this.own);
    for (const name of [...(gone?.links.keys() ?? [])]) if (gone !== undefined) removeLink(gone, name);
    this.#namespaces.delete(path);
  }

  observe(ns: Namespace, query: ViewQuery): View {
    const fake = fakeNetns(ns);
    const { links = [], addresses = [], routes = false, sysctls = [], shaping = [] } = query;
    const names = links === 'all' ? [...fake.links.keys()] : links;
    const wanted = fake.addresses.filter(({ dev }) => addresses === 'all' || addresses.includes(dev));
    const values = sysctls.map((key) => [key, fakeSysctl(fake, key, this.#options.ipv6 ?? true)] as const);
    return {
      links: new Map(
        names.flatMap((name) => fake.links.get(name) ?? []).map((link) => [link.state.name, fake.view(link)]),
      ),
      addresses: wanted.map(({ noDad, deprecated, noPrefixRoute, ...address }) => address),
      routes: routes ? allRoutes(fake) : [],
      rules: query.rules ? fake.rules : [],
      neighbours: ofDevices(fake.neighbours, query.neighbours),
      forwarding: ofDevices(fake.forwarding, query.forwarding),
      sysctls: new Map(values.filter((entry): entry is readonly [string, string] => entry[1] !== undefined)),
      running: new Set(query.running?.filter((name) => fake.links.get(name)?.state.up === true)),
      listeners: (query.listeners ?? []).flatMap((asked) => {
        const { count = 1, ...one } = asked;
        return (this.#options.listeners ?? []).flatMap(({ protocol, port }, inode) => {
          const isAsked = protocol === one.protocol && port >= one.port && port < one.port + count;
          return isAsked ? [{ ...one, port, inode }] : [];
        });
      }),
      holders: new Map((query.holders ?? []).flatMap((inode) => this.#holder(inode, query.program))),
      shaping: new Map(
        shaping.filter((dev) => fake.links.has(dev)).map((dev) => [dev, fakeShaping(fake, dev)] as const),
      ),
      ...fakeTransforms(fake, query.transforms ?? false),
    };
  }

  #holder(inode: number, program?: string): (readonly [number, Holder])[] {
    const found = this.#options.listeners?.[inode];
    return found === undefined || (program ?? found.program) !== found.program ? [] : [[inode, found]];
  }

  apply(ops: readonly Op[], namespaces: Namespaces): void {
    for (const op of ops) this.#step(op, namespaces);
  }

  revert(ops: readonly Op[], namespaces: Namespaces): NetError[] {
    const errors: NetError[] = [];
    for (const op of ops) {
      if (op.ns === 'sandbox' && namespaces.sandbox === undefined) continue;
      try {
        this.#step(op, namespaces);
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        if (!isAbsence(error)) errors.push(error);
      }
    }
    return errors;
  }

  toString(): string {
    return printNamespaces(this.own, [...this.#namespaces.values()]);
  }

  #step(op: Op, namespaces: Namespaces): void {
    const at = (ref: Op['ns']): FakeNetns => {
      const ns = namespaces[ref];
      if (ns === undefined) throw badOp(op, 'the step is for a sandbox and there is none');
      return fakeNetns(ns);
    };
    const ns = at(op.ns);
    const errno = this.#options.refuse?.(op);
    if (errno !== undefined) throw opError(op, errno);
    switch (op.op) {
      case 'link.create':
        if (this.#options.lacks?.includes(op.link.kind)) throw opError(op, EOPNOTSUPP, UNKNOWN_KIND);
        createFakeLink(op, {
          ns,
          parents: at(parentedLink(op.link)?.devNs ?? op.ns),
          ...(op.link.kind === 'veth' && { peers: at(op.link.peer.ns) }),
        });
        break;
      case 'link.move':
        moveFakeLink(op, ns, at(op.to));
        break;
      case 'rule.add':
      case 'rule.delete':
        changeFakeRule(op, ns);
        break;
      case 'link.set':
        setFakeLink(op, ns);
        break;
      case 'link.delete':
        deleteFakeLink(op, ns);
        break;
      case 'port.set':
        setFakePort(op, ns);
        break;
      case 'vlan.add':
      case 'vlan.delete':
        changeFakeVlans(op, ns);
        break;
      case 'addr.add':
      case 'addr.delete':
        changeFakeAddress(op, ns);
        break;
      case 'route.add':
      case 'route.delete':
        changeFakeRoute(op, ns);
        break;
      case 'neigh.add':
      case 'neigh.replace':
      case 'neigh.delete':
        changeFakeNeighbour(op, ns);
        break;
      case 'fdb.add':
      case 'fdb.replace':
      case 'fdb.delete':
        changeFakeForwarding(op, ns);
        break;
      case 'announce':
        linkOf(op, ns, op.dev);
        ns.announced.push(...op.addresses);
        break;
      case 'sysctl.set':
        setFakeSysctl(op, ns, this.#options.ipv6 ?? true);
        break;
      case 'tbf.add':
      case 'tbf.delete':
      case 'redirect.add':
      case 'redirect.delete':
        changeFakeShaping(op, ns);
        break;
      case 'firewall.add':
      case 'firewall.delete':
        throw badOp(op, NO_FIREWALL);
      case 'xfrm.state.add':
      case 'xfrm.state.delete':
      case 'xfrm.policy.replace':
      case 'xfrm.policy.delete':
        changeFakeTransforms(op, ns, this.#options.esp ?? true);
        break;
      case 'conntrack.flush':
        // The fake has no connections.
        break;
    }
  }

  #make(path: string, seed?: FakeSeed): FakeNetns {
    this.#made += 1;
    return new FakeNetns(sandboxId(this.identity.bootId, this.#made), path, seed);
  }
}

function fakeNetns(ns: Namespace): FakeNetns {
  if (ns instanceof FakeNetns) return ns;
  const what = 'it was opened by another host';
  throw fault.internal('host', `namespace ${ns.path}`, what);
}
