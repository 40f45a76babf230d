import { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { parentedLink } from '../model/link.ts';
import { type Op, sysctlPath } from '../model/op.ts';
import { EAFNOSUPPORT, ENOENT } from '../netlink/constants.ts';
import type { Request } from '../netlink/socket.ts';
import { linkIndex } from '../netlink/sys.ts';
import { announceLater, announceNow, type RunOptions } from './announce.ts';
import { carryOut, type Pending, type Queues, WITHOUT_INET } from './batches.ts';
import { createAcross, createTapLink, moveAcross } from './cross-links.ts';
import { badOp, missingLink, missingParent, NO_FIREWALL, opError, otherKind } from './failure.ts';
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
import { addIngress, addRedirect, deleteIngress } from './shaping-requests.ts';
import { isTransform } from './transforms.ts';

export interface LinuxNamespaces {
  readonly host: LinuxNamespace;
  readonly sandbox?: LinuxNamespace;
}

type AnnounceOp = Extract<Op, { op: 'announce' }>;

const NONE: readonly number[] = [];
const WITHOUT_INET6: readonly number[] = [EAFNOSUPPORT];

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
        // An existing name is foreign: send nothing to it before the kernel has answered.
        if (this.#create(op, ns) && op.alias !== undefined) {
          this.#request(op, ns, setLink(op.name, { alias: op.alias }, this.#resolver(op, ns)));
        }
        this.#indexes.clear();
        return;
      case 'link.move':
        this.#flush();
        moveAcross(op, ns, this.#namespace(op, op.to));
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

  /** Returns true if the kernel has created the link. */
  #create(op: Extract<Op, { op: 'link.create' }>, ns: LinuxNamespace): boolean {
    const { link } = op;
    const resolver = this.#resolver(op, ns);
    const parents = this.#namespace(op, parentedLink(link)?.devNs ?? op.ns);
    if (link.kind !== 'tap' && parents === ns) {
      this.#request(op, ns, createLink({ ...op, link }, resolver));
      return this.#flush();
    }
    this.#flush();
    if (link.kind === 'tap') createTapLink({ ...op, link }, ns, resolver);
    else createAcross({ ...op, link }, { parents, target: ns }, resolver);
    return true;
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
      parent: (name, ref) => this.#index(op, this.#namespace(op, ref), name, missingParent),
      netnsFd: (ref) => this.#namespace(op, ref).fd,
    };
  }

  #index(op: Op, ns: LinuxNamespace, name: string, missing = missingLink): number {
    const known = this.#indexes.get(ns)?.get(name);
    if (known !== undefined) return known;
    this.#flush();
    const index = linkIndex(ns.route.fd, name);
    if (index === undefined) throw missing(op, name);
    const names = this.#indexes.get(ns) ?? new Map<string, number>();
    this.#indexes.set(ns, names.set(name, index));
    return index;
  }

  #namespace(op: Op, ref: Op['ns']): LinuxNamespace {
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
