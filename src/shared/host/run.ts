import { NetError } from '../errors/net-error.ts';
import type { Op } from '../model/op.ts';
import { ENODEV, ENOENT, RTEXT_FILTER_SKIP_STATS, RTM_GETLINK } from '../netlink/constants.ts';
import { type LinkMessage, link } from '../netlink/link.ts';
import type { Request } from '../netlink/socket.ts';
import { changeAddress, changeForwarding, changeNeighbour, changeRoute } from './address-requests.ts';
import { badOp, missingLink, opError } from './failure.ts';
import { changeVlan, createLink, deleteLink, type Resolver, setLink, setPort } from './link-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { changeElement } from './nft.ts';
import { sysctlPath, writeSysctl } from './sysctl.ts';

export interface LinuxNamespaces {
  readonly host: LinuxNamespace;
  readonly sandbox?: LinuxNamespace;
}

type Pending =
  | {
      readonly kind: 'requests';
      readonly ns: LinuxNamespace;
      readonly items: { readonly op: Op; readonly request: Request }[];
    }
  | {
      readonly kind: 'sysctls';
      readonly ns: LinuxNamespace;
      readonly items: { readonly op: Op; readonly path: string }[];
    };

/**
 * One run through a list of Ops. What goes to the kernel in the same way is held back and goes together; everything
 * that has to see its effect (another namespace, the index of a name, the next kind of step) sends it first.
 * Failures go to `fail`, which throws to end the run or returns to go on.
 */
export class Run {
  readonly #namespaces: LinuxNamespaces;
  readonly #fail: (error: NetError) => void;
  readonly #indexes = new Map<LinuxNamespace, Map<string, number>>();
  #pending: Pending | undefined;

  constructor(namespaces: LinuxNamespaces, fail: (error: NetError) => void) {
    this.#namespaces = namespaces;
    this.#fail = fail;
  }

  /** All Ops have been carried out, or have failed and been reported. */
  all(ops: readonly Op[]): void {
    for (const op of ops) this.#guarded(() => this.#step(op));
    this.#flush();
  }

  #step(op: Op): void {
    const ns = this.#namespace(op, op.ns);
    switch (op.op) {
      case 'sysctl.set': {
        const path = sysctlPath(op.key);
        if (path === undefined) throw badOp(op, 'a key has to be a path below /proc/sys/net');
        this.#queue('sysctls', ns).items.push({ op, path });
        return;
      }
      case 'nft.element.add':
      case 'nft.element.delete':
        this.#flush();
        changeElement(op, ns);
        return;
      case 'link.create':
        this.#request(op, ns, createLink(op, this.#resolver(op, ns)));
        // A name that exists belongs to somebody else: nothing may be sent to it before the kernel has answered.
        this.#flush();
        this.#indexes.clear();
        if (op.alias !== undefined)
          this.#request(op, ns, setLink(op.name, { alias: op.alias }, this.#resolver(op, ns)));
        return;
      case 'link.delete':
        this.#request(op, ns, deleteLink(this.#ownLink(op, ns)));
        this.#indexes.clear();
        return;
      default:
        this.#request(op, ns, requestOf(op, this.#resolver(op, ns)));
    }
  }

  #ownLink(op: Extract<Op, { op: 'link.delete' }>, ns: LinuxNamespace): number {
    this.#flush();
    const found = readLink(ns, op.name);
    if (found === undefined) throw missingLink(op, op.name);
    const kind = found.attrs.info?.kind;
    if (op.kind === undefined || op.kind === kind) return found.header.index;
    const what = `it is of kind ${kind ?? 'none'} and not ${op.kind}, so it is left alone`;
    throw new NetError({ kind: 'conflict', op: op.op, subject: `link ${op.name}`, what, errno: ENODEV });
  }

  #request(op: Op, ns: LinuxNamespace, request: Request): void {
    this.#queue('requests', ns).items.push({ op, request });
  }

  /** The steps held back of this kind and namespace; others have been sent. */
  #queue<K extends Pending['kind']>(kind: K, ns: LinuxNamespace): Extract<Pending, { kind: K }> {
    if (this.#pending?.kind !== kind || this.#pending.ns !== ns) {
      this.#flush();
      this.#pending = { kind, ns, items: [] };
    }
    return this.#pending as Extract<Pending, { kind: K }>;
  }

  #flush(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return;
    const failures = pending.kind === 'requests' ? sendRequests(pending) : writeSysctls(pending);
    for (const failure of failures) this.#fail(failure);
  }

  #resolver(op: Op, ns: LinuxNamespace): Resolver {
    return {
      index: (name) => this.#index(op, ns, name),
      netnsFd: (ref) => this.#namespace(op, ref).fd,
    };
  }

  #index(op: Op, ns: LinuxNamespace, name: string): number {
    const known = this.#indexes.get(ns)?.get(name);
    if (known !== undefined) return known;
    this.#flush();
    const index = readLink(ns, name)?.header.index;
    if (index === undefined) throw missingLink(op, name);
    const names = this.#indexes.get(ns) ?? new Map<string, number>();
    this.#indexes.set(ns, names.set(name, index));
    return index;
  }

  #namespace(op: Op, ref: 'host' | 'sandbox'): LinuxNamespace {
    const ns = this.#namespaces[ref];
    if (ns === undefined) throw badOp(op, 'the step is for a sandbox and there is none');
    return ns;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      this.#fail(error);
    }
  }
}

/** The link of a name, or undefined. */
export function readLink(ns: LinuxNamespace, name: string): LinkMessage | undefined {
  const payload = link.encode({ header: {}, attrs: { name, extMask: RTEXT_FILTER_SKIP_STATS } });
  const [reply] = ns.route.exchange([{ type: RTM_GETLINK, payload }]);
  const [message] = reply?.messages ?? [];
  return message && link.decode(message.payload, true);
}

function requestOf(
  op: Exclude<Op, { op: 'link.create' | 'link.delete' | 'sysctl.set' | 'nft.element.add' | 'nft.element.delete' }>,
  resolver: Resolver,
): Request {
  switch (op.op) {
    case 'link.set':
      return setLink(op.name, op.set, resolver);
    case 'port.set':
      return setPort(op);
    case 'vlan.add':
    case 'vlan.delete':
      return changeVlan(op, resolver);
    case 'addr.add':
    case 'addr.delete':
      return changeAddress(op, resolver);
    case 'route.add':
    case 'route.delete':
      return changeRoute(op, resolver);
    case 'neigh.add':
    case 'neigh.delete':
      return changeNeighbour(op, resolver);
    case 'fdb.add':
    case 'fdb.delete':
      return changeForwarding(op, resolver);
  }
}

function sendRequests({ ns, items }: Extract<Pending, { kind: 'requests' }>): NetError[] {
  const replies = ns.route.exchange(items.map(({ request }) => request));
  return items.flatMap(({ op }, i) => {
    const { errno = 0, text = '' } = replies[i] ?? {};
    return errno === 0 ? [] : [opError(op, errno, text)];
  });
}

function writeSysctls({ ns, items }: Extract<Pending, { kind: 'sysctls' }>): NetError[] {
  return ns.within(() =>
    items.flatMap(({ op, path }) => {
      if (op.op !== 'sysctl.set') return [];
      const errno = writeSysctl(path, op.value);
      return errno === 0 || (errno === ENOENT && op.optional) ? [] : [opError(op, errno)];
    }),
  );
}
