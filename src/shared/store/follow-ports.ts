import { type Attachment, attachmentText } from '../model/attachment.ts';
import type { LocalStore, PortTable } from './store.ts';

/**
 * The same store. Calls `changed` for each owner whose host ports a transaction claims or releases, once it has ended.
 */
export function followPorts(store: LocalStore, changed: (owner: Attachment) => void): LocalStore {
  const touched = new Map<string, Attachment>();
  const flush = (): void => {
    const owners = [...touched.values()];
    touched.clear();
    for (const owner of owners) changed(owner);
  };
  const touch = (owner: Attachment): void => {
    // A transaction is synchronous, so it has ended when a microtask runs.
    if (touched.size === 0) queueMicrotask(flush);
    touched.set(attachmentText(owner), owner);
  };
  const ports: PortTable = {
    take: (...claims) => {
      for (const { owner } of claims) touch(owner);
      store.ports.take(...claims);
    },
    release: (owner) => {
      touch(owner);
      store.ports.release(owner);
    },
    list: (owner) => store.ports.list(owner),
    partners: (owner) => store.ports.partners(owner),
  };
  const { networks, dockerNetworks, pools, endpoints, leases, notes, clusterKeys } = store;
  return {
    ...{ networks, dockerNetworks, pools, endpoints, leases, notes, clusterKeys, ports },
    refresh: () => store.refresh(),
    snapshot: (work) => store.snapshot(work),
    transaction: (work, options) => store.transaction(work, options),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}
