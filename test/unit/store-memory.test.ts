import { MemoryDisk, MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { describeStore } from './store-behaviour.ts';

describeStore('MemoryStore', () => {
  const disk = new MemoryDisk();
  return { open: (identity) => new MemoryStore(identity, disk), [Symbol.dispose]: () => {} };
});
