import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Op, sysctlPath } from '../model/op.ts';
import { announceLater } from './announce.ts';
import { isAbsence } from './failure.ts';
import { findHolders } from './holders.ts';
import type { Host, HostIdentity, Namespace, Namespaces, View, ViewQuery } from './host.ts';
import { LinuxIdentity } from './identity.ts';
import { LinuxNamespace, openNamespace, openOwnNamespace } from './linux-namespace.ts';
import { readListeners } from './listeners.ts';
import { readAddresses, readRoutes } from './read-addresses.ts';
import { LinkReader } from './read-links.ts';
import { readShaping } from './read-shaping.ts';
import { type LinuxNamespaces, Run } from './run.ts';
import { readSysctl } from './sysctl.ts';

export interface LinuxHostOptions {
  /** True in a process that outlives a call: it defers work until the call has been answered. Default false. */
  readonly stays?: boolean;
}

/** The kernel of this machine, seen from the calling thread's network namespace. Close it with `using`. */
export class LinuxHost implements Host, Disposable {
  readonly own: LinuxNamespace;
  readonly #announce: typeof announceLater | undefined;
  readonly identity: HostIdentity;

  constructor(env: NodeJS.ProcessEnv, { stays = false }: LinuxHostOptions = {}) {
    this.#announce = stays ? announceLater : undefined;
    this.own = openOwnNamespace();
    this.identity = new LinuxIdentity(env, this.own);
  }

  /** `file` is another path to the file at `path`. */
  open(path: string, file?: string): LinuxNamespace {
    return openNamespace(path, this.own, file);
  }

  observe(ns: Namespace, query: ViewQuery): View {
    const linux = linuxNamespace(ns);
    const links = new LinkReader(linux);
    return {
      links: query.links === 'all' ? links.all() : links.named(query.links ?? []),
      addresses: query.addresses === undefined ? [] : readAddresses(linux, links, query.addresses),
      routes: query.routes ? readRoutes(linux, links) : [],
      sysctls: readSysctls(linux, query.sysctls ?? []),
      listeners: readListeners(linux, query.listeners ?? []),
      holders: findHolders(query.holders ?? [], query.program),
      shaping: readShaping(linux, links, query.shaping ?? []),
    };
  }

  apply(ops: readonly Op[], namespaces: Namespaces): void {
    const fail = (error: NetError): never => {
      throw error;
    };
    new Run(linuxNamespaces(namespaces), fail, this.#announce).all(ops);
  }

  revert(ops: readonly Op[], namespaces: Namespaces): NetError[] {
    const errors: NetError[] = [];
    const run = new Run(linuxNamespaces(namespaces), (error) => {
      if (!isAbsence(error)) errors.push(error);
    });
    run.all(namespaces.sandbox === undefined ? ops.filter(({ ns }) => ns === 'host') : ops);
    return errors;
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
  if (keys.length === 0) return new Map();
  return ns.within(() => {
    const found = new Map<string, string>();
    for (const key of keys) {
      const path = sysctlPath(key);
      const value = path === undefined ? undefined : readSysctl(path);
      if (value !== undefined) found.set(key, value);
    }
    return found;
  });
}

function linuxNamespaces({ host, sandbox }: Namespaces): LinuxNamespaces {
  return { host: linuxNamespace(host), ...(sandbox === undefined ? {} : { sandbox: linuxNamespace(sandbox) }) };
}

function linuxNamespace(ns: Namespace): LinuxNamespace {
  if (ns instanceof LinuxNamespace) return ns;
  const what = 'it was opened by another host';
  throw fault.internal('host', `namespace ${ns.path}`, what);
}
