import { readFileSync, statSync } from 'node:fs';
import { hasCode } from '../errors/net-error.ts';
import { type HostId, hostId } from '../model/attachment.ts';
import type { HostIdentity, Namespace } from './host.ts';

/**
 * The identity of the host; reads each part on demand. `bootedAt` has a resolution of one second: it derives from the
 * uptime, and the clock may be set meanwhile.
 */
export class LinuxIdentity implements HostIdentity {
  readonly #env: NodeJS.ProcessEnv;
  readonly #own: Namespace;
  #hostId: HostId | undefined;

  constructor(env: NodeJS.ProcessEnv, own: Namespace) {
    this.#env = env;
    this.#own = own;
  }

  get hostId(): HostId {
    this.#hostId ??= hostId(this.#env.ISTHMUS_HOST_ID || (isInitNetns() ? 'root' : this.#own.id));
    return this.#hostId;
  }

  get bootId(): string {
    return readBootId();
  }

  get bootedAt(): number {
    // Few calls need it: an import would load node:os in all.
    return Math.floor(Date.now() / 1000 - process.getBuiltinModule('node:os').uptime()) * 1000;
  }
}

let bootId: string | undefined;

/** /proc/sys/kernel/random/boot_id, which stays the same during a process's lifetime. */
export function readBootId(): string {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootId;
}

/** linux/nsfs.h since 6.18: the inode number of the initial network namespace, and of no other. */
const NET_NS_INIT_INO = 0xeffffff9;

/**
 * Returns true in the network namespace of PID 1. If the caller may not inspect PID 1 (which can have capabilities that
 * root lacks), the inode number decides; on kernels without a fixed number the result is false.
 */
function isInitNetns(): boolean {
  const own = statSync('/proc/self/ns/net');
  try {
    const init = statSync('/proc/1/ns/net');
    return own.dev === init.dev && own.ino === init.ino;
  } catch (error) {
    // ENOENT: a procfs that hides foreign processes (hidepid=2).
    if (hasCode(error, ['EACCES', 'EPERM', 'ENOENT'])) return own.ino === NET_NS_INIT_INO;
    throw error;
  }
}
