import type { Logger } from '../../log/log.ts';
import { formatPorts } from '../../model/firewall.ts';
import type { HeldSpan } from './held-span.ts';

/** Maximum number of logged ports to remember. Beyond it, a port may be logged again. */
const MOST_TOLD = 10_000;
const REASONS = {
  taken: 'another socket has it; the daemon takes it when it is free',
  limit: 'the daemon may open no more files: raise LimitNOFILE in its unit',
  refused: 'the kernel refuses it',
} as const;

/** Logs each port that is not held once. Logs the limit of open files once for all ports. */
export class Notices {
  readonly #log: Logger;
  readonly #told = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  notHeld({ ports, why }: HeldSpan): void {
    if (why === undefined) return;
    const name = `${ports.hostIp ?? '*'} ${formatPorts(ports.hostPort, ports)}/${ports.protocol}`;
    const key = why === 'limit' ? why : name;
    if (this.#told.has(key)) return;
    if (this.#told.size >= MOST_TOLD) this.#told.clear();
    this.#told.add(key);
    const fields = { ports: name, reason: REASONS[why] };
    if (why === 'limit') this.#log.warn('ports.not.held', fields);
    else this.#log.info('ports.not.held', fields);
  }
}
