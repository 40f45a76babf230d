import type { Host } from '../../src/shared/host/host.ts';

/** The host of a process that is killed after so many Ops. */
export function deadAfter(host: Host, count: number): Host {
  let left = count;
  const alive = (): void => {
    if (left < 0) throw new Error('is dead');
  };
  return {
    ...{ identity: host.identity, own: host.own, open: (path) => host.open(path) },
    observe: (ns, query) => {
      alive();
      return host.observe(ns, query);
    },
    apply: (ops, namespaces) => {
      for (const op of ops) {
        alive();
        host.apply([op], namespaces);
        left -= 1;
        alive();
      }
    },
    revert: () => {
      throw new Error('is dead');
    },
  };
}
