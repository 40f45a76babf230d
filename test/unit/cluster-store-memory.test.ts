import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { describeClusterStore } from './cluster-store-behaviour.ts';

describeClusterStore('MemoryCluster', async () => {
  const cluster = new MemoryCluster();
  return {
    open: async () => cluster.open(),
    stop: () => cluster.stop(),
    resume: () => cluster.resume(),
    wipe: async () => cluster.wipe(),
    compact: async () => cluster.compact(),
    endSession: async (id) => cluster.endSession(id),
    [Symbol.asyncDispose]: async () => {},
  };
});
