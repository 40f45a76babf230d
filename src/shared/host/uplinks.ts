import type { KernelChange } from './changes.ts';
import type { Host } from './host.ts';

/**
 * Bridges that have a port which is no container's: an uplink, a VLAN, a tap. Follows the changes of a watch, so that
 * asking costs nothing, however many ports there are.
 */
export class Uplinks {
  readonly #host: Host;
  /** Undefined: not known, and read anew when asked for. */
  #bridges: Set<string> | undefined;
  /** Bridges that lost such a port, and those that may have been renamed, of which the ports tell nothing. */
  readonly #doubtful = new Set<string>();
  #isWatching = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Call it once the watch that calls `heard` is open. */
  start(): void {
    this.#isWatching = true;
  }

  heard(changes: readonly KernelChange[]): void {
    for (const change of changes) {
      if (change.kind === 'lost') this.#bridges = undefined;
      else if (change.kind === 'port' && change.event === 'add') this.#bridges?.add(change.bridge);
      else if (change.kind === 'port') this.#doubtful.add(change.bridge);
      else if (change.kind === 'bridge' && this.#bridges?.has(change.name) === false) this.#doubtful.add(change.name);
      else if (change.kind === 'link' && change.event === 'delete') {
        this.#bridges?.delete(change.name);
        this.#doubtful.delete(change.name);
      }
    }
  }

  /** Undefined while nothing is watched. */
  has(bridge: string): boolean | undefined {
    if (!this.#isWatching) return undefined;
    if (this.#bridges === undefined || this.#doubtful.has(bridge)) {
      this.#doubtful.clear();
      this.#bridges = this.#read();
    }
    return this.#bridges.has(bridge);
  }

  #read(): Set<string> {
    const { links } = this.#host.observe(this.#host.own, { links: 'all' });
    const ports = [...links.values()].filter(({ name }) => !name.startsWith(VETH));
    return new Set(ports.flatMap(({ master }) => master ?? []));
  }
}

/** How the names of containers' interfaces begin on the host, in both camps. */
const VETH = 'veth';
