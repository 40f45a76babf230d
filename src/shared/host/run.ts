import { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { type Op, sysctlPath } from '../model/op.ts';
import { EAFNOSUPPORT, ENODEV, ENOENT } from '../netlink/constants.ts';
import type { Request } from '../netlink/socket.ts';
import { linkIndex } from '../netlink/sys.ts';
import { announceLater, announceNow, type RunOptions } from './announce.ts';
import { type FlushOp, flushConnections } from './conntrack.ts';
import { badOp, missingLink, NO_FIREWALL, opError, otherKind } from './failure.ts';
import {
  createLink,
  deleteLink,
  notifyingDevice,
  type Resolver,
  setAddrGenMode,
  setArpNotify,
  setLink,
  setVxlan,
} from './link-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { readLink } from './read-links.ts';
import { redirects } from './read-shaping.ts';
import { requestOf } from './requests.ts';
import { addIngress, addRedirect, deleteIngress, shapingErrno } from './shaping-requests.ts';
import { type SysctlOp, writeSysctls } from './sysctl.ts';
import { changeTransforms, isTransform, type TransformOp } from './transforms.ts';

export interface LinuxNamespaces {
  readonly host: LinuxNamespace;
  readonly sandbox?: LinuxNamespace;
}

interface Queue<K extends string, T> {
  readonly kind: K;
  readonly ns: LinuxNamespace;
  readonly items: T[];
}

interface Queues {
  /** `unless`: the errnos that mean there is nothing to do. */
  readonly requests: Queue<
    'requests',
    { readonly op: Op; readonly request: Request; readonly unless: readonly number[] }
  >;
  readonly sysctls: Queue<'sysctls', { readonly op: SysctlOp; readonly path: string }>;
  readonly flushes: Queue<'flushes', FlushOp>;
  readonly transforms: Queue<'transforms', TransformOp>;
}

type Pending = Queues[keyof Queues];

type AnnounceOp = Extract<Op, { op: 'announce' }>;

const NONE: readonly number[] = [];
const WITHOUT_INET6: readonly number[] = [EAFNOSUPPORT];
/** What a missing path is in /proc/sys. */
const WITHOUT_INET: readonly number[] = [ENODEV, EAFNOSUPPORT];

/**
 * One run through a list of Ops. Batches consecutive Ops that reach the kernel in the same way; an Op that depends on
 * their effect (another namespace, the index of a name, the next kind of step) flushes the batch first. Reports
 * failures to `fail`, which throws to end the run or returns to continue.
 */
export class Run {
  readonly #namespaces: LinuxNamespaces;
  readonly #fail: (error: NetError) => void;
  readonly #indexes = new Map<LinuxNamespace, Map<string, number>>();
  readonly #options: RunOptions;
  readonly #unannounced: AnnounceOp[] = [];
  #pending: Pending | undefined;

  constructor(namespaces: LinuxNamespaces, fail: (error: NetError) => void, options: RunOptions = {}) {
    this.#namespaces = namespaces;
    this.#fail = fail;
    this.#options = options;
  }

  /** Finishes all Ops; those that failed have been reported. */
  all(ops: readonly Op[]): void {
    for (const op of ops) this.#guarded(() => this.#step(op));
    this.#flush();
    for (const op of this.#unannounced.splice(0)) this.#guarded(() => this.#announceNow(op));
  }

  #announceNow(op: AnnounceOp): void {
    const ns = this.#namespace(op, op.ns);
    const announced = { ...op, index: this.#index(op, ns, op.dev) };
    const { announcing, pause } = this.#options;
    if (announcing !== undefined) announcing(announceLater(ns, announced));
    else {
      const setMac = (): void => this.#request(op, ns, setLink(op.dev, { mac: op.mac }, this.#resolver(op, ns)));
      announceNow(ns, announced, { setMac, ...given({ pause }) });
    }
    this.#flush();
  }

  #step(op: Op): void {
    const ns = this.#namespace(op, op.ns);
    if (isTransform(op)) return void this.#queue('transforms', ns).items.push(op);
    switch (op.op) {
      case 'sysctl.set': {
        const path = sysctlPath(op.key);
        if (path === undefined) throw badOp(op, 'a key has to be a path below /proc/sys/net');
        const notified = notifyingDevice(path, op.value);
        if (notified === undefined) this.#queue('sysctls', ns).items.push({ op, path });
        else this.#request(op, ns, setArpNotify(notified, Number(op.value)), op.optional ? WITHOUT_INET : NONE);
        return;
      }
      case 'announce':
        this.#unannounced.push(op);
        return;
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
        const { addrGenMode, vxlan, ...set } = op.set;
        if (addrGenMode !== undefined) this.#request(op, ns, setAddrGenMode(op.name, addrGenMode), WITHOUT_INET6);
        if (vxlan !== undefined) this.#request(op, ns, setVxlan(op.name, vxlan));
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

  #request(op: Op, ns: LinuxNamespace, request: Request, unless = NONE): void {
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

function carryOut(pending: Pending): NetError[] {
  if (pending.kind === 'requests') return sendRequests(pending);
  if (pending.kind === 'flushes') return flushConnections(pending.items, pending.ns);
  if (pending.kind === 'transforms') return changeTransforms(pending.items, pending.ns);
  return writeSysctls(pending.ns, pending.items);
}

function sendRequests({ ns, items }: Queues['requests']): NetError[] {
  const replies = ns.route.exchange(items.map(({ request }) => request));
  return items.flatMap(({ op, unless }, i) => {
    const { errno = 0, text = '' } = replies[i] ?? {};
    const cause = op.op === 'sysctl.set' && WITHOUT_INET.includes(errno) ? ENOENT : shapingErrno(op, errno);
    return errno === 0 || unless.includes(errno) ? [] : [opError(op, cause, text)];
  });
}
