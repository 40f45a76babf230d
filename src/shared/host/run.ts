import { NetError } from '../errors/net-error.ts';
import { type Op, sysctlPath } from '../model/op.ts';
import { EAFNOSUPPORT, ENODEV, ENOENT, RTEXT_FILTER_SKIP_STATS, RTM_GETLINK } from '../netlink/constants.ts';
import { type LinkMessage, link } from '../netlink/link.ts';
import { socketError } from '../netlink/message.ts';
import type { Request } from '../netlink/socket.ts';
import { linkIndex } from '../netlink/sys.ts';
import type { Announced } from './announce.ts';
import { type FlushOp, flushConnections } from './conntrack.ts';
import { badOp, missingLink, NO_FIREWALL, opError, otherKind } from './failure.ts';
import { createLink, deleteLink, type Resolver, setLink, setLinkSpec } from './link-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { redirects } from './read-shaping.ts';
import { requestOf } from './requests.ts';
import { addIngress, addRedirect, deleteIngress, shapingErrno } from './shaping-requests.ts';
import { type SysctlOp, writeSysctls } from './sysctl.ts';

export interface LinuxNamespaces {
  readonly host: LinuxNamespace;
  readonly sandbox?: LinuxNamespace;
}

interface Queue<K extends string, T> {
  readonly kind: K;
  readonly ns: LinuxNamespace;
  readonly items: T[];
}

type Announce = (ns: LinuxNamespace, announced: Announced) => void;

/** Pending work, by the way it reaches the kernel. */
interface Queues {
  /** `unless`: the errno that means there is nothing to do. */
  readonly requests: Queue<'requests', { readonly op: Op; readonly request: Request; readonly unless: number }>;
  readonly sysctls: Queue<'sysctls', { readonly op: SysctlOp; readonly path: string }>;
  readonly flushes: Queue<'flushes', FlushOp>;
}

type Pending = Queues[keyof Queues];

/**
 * One run through a list of Ops. Batches consecutive Ops that reach the kernel in the same way; an Op that depends on
 * their effect (another namespace, the index of a name, the next kind of step) flushes the batch first. Reports
 * failures to `fail`, which throws to end the run or returns to continue.
 */
export class Run {
  readonly #namespaces: LinuxNamespaces;
  readonly #fail: (error: NetError) => void;
  readonly #indexes = new Map<LinuxNamespace, Map<string, number>>();
  readonly #announce: Announce | undefined;
  readonly #unannounced: SysctlOp[] = [];
  #pending: Pending | undefined;

  /** With `announce`, the run itself announces addresses at the end, in place of the kernel. */
  constructor(namespaces: LinuxNamespaces, fail: (error: NetError) => void, announce?: Announce) {
    this.#namespaces = namespaces;
    this.#fail = fail;
    this.#announce = announce;
  }

  /** Finishes all Ops; those that failed have been reported. */
  all(ops: readonly Op[]): void {
    for (const op of ops) this.#guarded(() => this.#step(op));
    this.#flush();
    for (const op of this.#unannounced.splice(0)) this.#guarded(() => this.#announceNow(op));
  }

  #announceNow({ announces, ...op }: SysctlOp): void {
    this.#step(op);
    if (announces === undefined || !this.#flush()) return;
    const ns = this.#namespace(op, op.ns);
    this.#announce?.(ns, { ...announces, index: this.#index(op, ns, announces.dev) });
  }

  #step(op: Op): void {
    const ns = this.#namespace(op, op.ns);
    switch (op.op) {
      case 'sysctl.set': {
        const path = sysctlPath(op.key);
        if (path === undefined) throw badOp(op, 'a key has to be a path below /proc/sys/net');
        if (op.announces !== undefined && this.#announce !== undefined) {
          this.#unannounced.push(op);
          return;
        }
        this.#queue('sysctls', ns).items.push({ op, path });
        return;
      }
      case 'firewall.add':
      case 'firewall.delete':
        throw badOp(op, NO_FIREWALL);
      case 'conntrack.flush':
        this.#queue('flushes', ns).items.push(op);
        return;
      case 'redirect.add': {
        const redirect = addRedirect(op, this.#resolver(op, ns));
        this.#request(op, ns, addIngress(op, this.#resolver(op, ns)));
        // An existing ingress qdisc is foreign and gets no filter of ours.
        if (this.#flush()) this.#request(op, ns, redirect);
        return;
      }
      case 'redirect.delete':
        this.#request(op, ns, deleteIngress(this.#ownIngress(op, ns)));
        return;
      case 'link.create':
        this.#request(op, ns, createLink(op, this.#resolver(op, ns)));
        // An existing name is foreign: send nothing to it before the kernel has answered.
        if (this.#flush() && op.alias !== undefined) {
          this.#request(op, ns, setLink(op.name, { alias: op.alias }, this.#resolver(op, ns)));
        }
        this.#indexes.clear();
        return;
      case 'link.set': {
        const { addrGenMode, ...set } = op.set;
        if (addrGenMode !== undefined) this.#request(op, ns, setLinkSpec(op.name, addrGenMode), EAFNOSUPPORT);
        if (Object.keys(set).length > 0) this.#request(op, ns, setLink(op.name, set, this.#resolver(op, ns)));
        return;
      }
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
    throw otherKind(op, kind);
  }

  /**
   * Returns the device of a redirection that leads to `op.to` or to a deleted device; any other is
   * foreign.
   */
  #ownIngress(op: Extract<Op, { op: 'redirect.add' | 'redirect.delete' }>, ns: LinuxNamespace): number {
    const index = this.#index(op, ns, op.dev);
    this.#flush();
    const to = readLink(ns, op.to)?.header.index;
    if (redirects(ns, index)?.every((target) => target === 0 || target === to) !== true) throw opError(op, ENOENT);
    return index;
  }

  #request(op: Op, ns: LinuxNamespace, request: Request, unless = 0): void {
    this.#queue('requests', ns).items.push({ op, request, unless });
  }

  /** Returns the batch of this kind and namespace; flushes any other batch. */
  #queue<K extends keyof Queues>(kind: K, ns: LinuxNamespace): Queues[K] {
    if (this.#pending?.kind !== kind || this.#pending.ns !== ns) {
      this.#flush();
      this.#pending = { kind, ns, items: [] };
    }
    return this.#pending as Queues[K];
  }

  /** Returns true if the whole batch succeeded. A failure does not stop the next step. */
  #flush(): boolean {
    const pending = this.#pending;
    this.#pending = undefined;
    let sound = true;
    if (pending === undefined) return sound;
    this.#guarded(() => {
      sound = false;
      const failures = carryOut(pending);
      for (const failure of failures) this.#fail(failure);
      sound = failures.length === 0;
    });
    return sound;
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
    const index = linkIndex(ns.route.fd, name);
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

/** Returns the link of a name, or undefined. */
export function readLink(ns: LinuxNamespace, name: string): LinkMessage | undefined {
  const payload = link.encode({ header: {}, attrs: { name, extMask: RTEXT_FILTER_SKIP_STATS } });
  const [reply] = ns.route.exchange([{ type: RTM_GETLINK, payload, reply: true }]);
  const { errno = 0, text = '', messages: [message] = [] } = reply ?? {};
  if (errno !== 0 && errno !== ENODEV) throw socketError(errno, `link ${name} could not be read`, text);
  return message && link.decode(message.payload, true);
}

function carryOut(pending: Pending): NetError[] {
  if (pending.kind === 'requests') return sendRequests(pending);
  return pending.kind === 'flushes'
    ? flushConnections(pending.items, pending.ns)
    : writeSysctls(pending.ns, pending.items);
}

function sendRequests({ ns, items }: Queues['requests']): NetError[] {
  const replies = ns.route.exchange(items.map(({ request }) => request));
  return items.flatMap(({ op, unless }, i) => {
    const { errno = 0, text = '' } = replies[i] ?? {};
    return errno === 0 || errno === unless ? [] : [opError(op, shapingErrno(op, errno), text)];
  });
}
