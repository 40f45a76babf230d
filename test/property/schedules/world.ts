import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { ChangeCount } from '../../../src/shared/store/changes.ts';
import { FakeHost } from '../../../src/shared/testing/fake-host.ts';
import { MemoryDisk, MemoryStore } from '../../../src/shared/testing/memory-store.ts';
import { OTHER, POD } from '../../support/core.ts';
import { FakeFirewaller } from '../../support/fake-firewaller.ts';

const SYSCTLS = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
  'net/ipv4/ip_local_port_range': '40000\t40099',
  'net/ipv4/ip_local_reserved_ports': '',
};

/** The state that all processes of one host share: the kernel, the packet filter, the disk and the lock files. */
export class World {
  readonly host = new FakeHost({ own: { sysctls: SYSCTLS }, namespaces: { [POD]: {}, [OTHER]: {} } });
  readonly filter = new FakeFirewaller();
  readonly disk = new MemoryDisk();
  readonly locks = new LockTable();
  readonly changes: ChangeCount;

  constructor() {
    let count = 0;
    this.changes = {
      read: () => count,
      write: (value) => {
        count = value;
      },
    };
  }

  /** Opens a store, as each process opens the one file. */
  openStore(): MemoryStore {
    return new MemoryStore(this.host.identity, this.disk);
  }
}

/** The holder of each lock. The kernel frees the locks of a process that dies. */
export class LockTable {
  readonly #holders = new Map<string, number>();

  isFree(key: string): boolean {
    return !this.#holders.has(key);
  }

  /** Throws NetError `busy` if any process holds the lock, this one included. */
  take(key: string, process: number): void {
    if (!this.isFree(key))
      throw new NetError({ kind: 'busy', op: 'lock', subject: key, what: 'another call holds it' });
    this.#holders.set(key, process);
  }

  release(key: string): void {
    this.#holders.delete(key);
  }

  /** Frees the locks of a dead process. */
  releaseAll(process: number): void {
    for (const [key, holder] of this.#holders) if (holder === process) this.#holders.delete(key);
  }

  get held(): string[] {
    return [...this.#holders.keys()];
  }
}
