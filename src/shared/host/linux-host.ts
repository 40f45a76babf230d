import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { type Op, sysctlPath } from '../model/op.ts';
import { isRunning } from '../netlink/link.ts';
import type { RunOptions } from './announce.ts';
import { isAbsence } from './failure.ts';
import { findHolders } from './holders.ts';
import type { Host, HostIdentity, Namespace, Namespaces, View, ViewQuery } from './host.ts';
import { LinuxIdentity } from './identity.ts';
import { borrowNamespace, LinuxNamespace, openNamespace, openOwnNamespace } from './linux-namespace.ts';
import { readListeners } from './listeners.ts';
import { readAddresses, readRoutes } from './read-addresses.ts';
import { LinkReader } from './read-links.ts';
import { readForwarding, readNeighbours } from './read-neighbours.ts';
import { readShaping } from './read-shaping.ts';
import { readRules } from './rules.ts';
import { type LinuxNamespaces, Run } from './run.ts';
import { readSysctl } from './sysctl.ts';
import { readTransforms } from './transforms.ts';

export interface LinuxHostOptions extends Pick<RunOptions, 'pause'> {
  /** The process outlives a call. Default: false. */
  readonly stays?: boolean;
}

/** The kernel of this machine, seen from the calling thread's network namespace. Close it with `using`. */
export class LinuxHost implements Host, Disposable {
  readonly own: LinuxNamespace;
  readonly #run: RunOptions;
  readonly identity: HostIdentity;

  /** Addresses that are being announced. */
  readonly #announcing = new Set<Promise<void>>();

  constructor(env: NodeJS.ProcessEnv, { stays = false, pause }: LinuxHostOptions = {}) {
    const announcing = (sent: Promise<void>): void => {
      this.#announcing.add(sent);
      void sent.then(() => this.#announcing.delete(sent));
    };
    this.#run = { ...given({ pause }), ...(stays && { announcing }) };
    this.own = openOwnNamespace();
    this.identity = new LinuxIdentity(env, this.own);
  }

  /** `fd`: a descriptor of the file at `path`, which stays open. */
  open(path: string, fd?: number): LinuxNamespace {
    return fd === undefined ? openNamespace(path, this.own) : borrowNamespace(path, fd, this.own);
  }

  observe(ns: Namespace, query: ViewQuery): View {
    const linux = linuxNamespace(ns);
    const links = new LinkReader(linux);
    return {
      links: query.links === 'all' ? links.all() : links.named(query.links ?? []),
      addresses: query.addresses === undefined ? [] : readAddresses(linux, links, query.addresses),
      routes: query.routes ? readRoutes(linux, links) : [],
      rules: query.rules ? readRules(linux) : [],
      neighbours: readNeighbours(linux, links, query.neighbours ?? []),
      forwarding: readForwarding(linux, links, query.forwarding ?? []),
      sysctls: readSysctls(linux, query.sysctls ?? []),
      running: new Set(query.running?.filter((name) => isRunning(linux.route.fd, name))),
      listeners: readListeners(linux, query.listeners ?? []),
      holders: findHolders(query.holders ?? [], query.program),
      shaping: readShaping(linux, links, query.shaping ?? []),
      ...readTransforms(linux, query.transforms ?? false),
    };
  }

  apply(ops: readonly Op[], namespaces: Namespaces): void {
    const fail = (error: NetError): never => {
      throw error;
    };
    new Run(linuxNamespaces(namespaces), fail, this.#run).all(ops);
  }

  revert(ops: readonly Op[], namespaces: Namespaces): NetError[] {
    const errors: NetError[] = [];
    const run = new Run(linuxNamespaces(namespaces), (error) => {
      if (!isAbsence(error)) errors.push(error);
    });
    run.all(namespaces.sandbox === undefined ? ops.filter(({ ns }) => ns === 'host') : ops);
    return errors;
  }

  async announced(): Promise<void> {
    await Promise.all(this.#announcing);
  }

  [Symbol.dispose](): void {
    this.own.close();
  }
}

/** Opens the host that the caller runs on; ISTHMUS_HOST_ID in `env` overrides its id. */
export function openLinuxHost(env: NodeJS.ProcessEnv = process.env, options: LinuxHostOptions = {}): LinuxHost {
  return new LinuxHost(env, options);
}

function readSysctls(ns: LinuxNamespace, keys: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const key of keys) {
    const path = sysctlPath(key);
    const value = path === undefined ? undefined : readSysctl(ns, path);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}

function linuxNamespaces({ host, sandbox }: Namespaces): LinuxNamespaces {
  return { host: linuxNamespace(host), ...(sandbox === undefined ? {} : { sandbox: linuxNamespace(sandbox) }) };
}

/** Throws NetError `internal` for one of another kind of host. */
export function linuxNamespace(ns: Namespace): LinuxNamespace {
  if (ns instanceof LinuxNamespace) return ns;
  const what = 'it was opened by another host';
  throw fault.internal('host', `namespace ${ns.path}`, what);
}
