import { hostname } from 'node:os';
import { clusterHostId } from '../../src/shared/cluster/identity.ts';
import type { Self } from '../../src/shared/cluster/site.ts';
import type { ClusterConfig } from '../../src/shared/config/cluster.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import type { Host } from '../../src/shared/host/host.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import { PROGRAM_VERSION } from '../../src/shared/runtime/program-version.ts';
import { underlayOf } from './cluster-parts.ts';

/** This host, as it is now. */
export function describeSelf(config: ClusterConfig, host: Host, stateDir: string): Self {
  const { address, mtu } = underlayOf(host, config);
  const { bootId, hostId } = host.identity;
  return {
    ...{ id: clusterHostId(stateDir), name: config.hostName ?? hostname() },
    // Hosts within one machine have one boot id.
    bootId: hostId === 'root' ? bootId : `${bootId} ${hostId}`,
    ...(address !== undefined && (config.family === 4 ? { underlay4: address } : { underlay6: address })),
    ...{ mtu, release: PROGRAM_VERSION },
  };
}

export interface FollowingParts {
  readonly describe: () => Self;
  /** Gives the devices here another underlay address. */
  readonly move: (self: Self) => Promise<void>;
  /** Tells the cluster, which goes on with it by itself if it fails. */
  readonly renumber: (self: Self) => Promise<void>;
}

/** Follows the underlay address of this host. */
export class FollowedSelf {
  /** This host, as of the last look. */
  current: Self;
  /** What the devices have. */
  #moved: Self;
  readonly #parts: FollowingParts;

  constructor(parts: FollowingParts) {
    this.#parts = parts;
    this.current = parts.describe();
    this.#moved = this.current;
  }

  /** Takes over another address. If it throws, the next call tries again. */
  async follow(): Promise<void> {
    const found = this.#parts.describe();
    if ([this.current, this.#moved].every((one) => underlayText(one) === underlayText(found))) return;
    // While the address is replaced, the host has none for a moment.
    if (found.underlay4 === undefined && found.underlay6 === undefined) return;
    this.current = found;
    await this.#parts.move(found);
    this.#moved = found;
    await this.#parts.renumber(found);
  }
}

const underlayText = ({ underlay4, underlay6, mtu }: Self): string => JSON.stringify([underlay4, underlay6, mtu]);

/** Its address on the underlay. Throws NetError `unavailable` if it has none. */
export function addressOfSelf({ name, underlay4, underlay6 }: Self, family: Family): string {
  const found = family === 4 ? underlay4 : underlay6;
  if (found !== undefined) return found;
  const what = `this host has no address of IPv${family} to reach its peers by`;
  throw fault.unavailable('overlay', `host ${name}`, what, 'Name one in cluster.json (underlay)');
}
