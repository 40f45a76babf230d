import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import type { Attachment } from '../model/attachment.ts';
import type { ClusterNetworks, JoinedNetwork } from './cluster-networks.ts';
import type { Core, LocalSource } from './core.ts';
import { type PoolSpec, poolSource } from './pool-source.ts';

/** The daemon's networks over several hosts. Throws NetError `unavailable` in a process that has none. */
export function clusterOf({ cluster }: Pick<Core, 'cluster'>, network: string): ClusterNetworks {
  if (cluster !== undefined) return cluster;
  const what = 'an overlay network needs the daemon of this host, as a member of a cluster';
  const hint = 'Start isthmus with the file cluster.json (docs/overlay.md)';
  throw fault.unavailable('overlay', `network ${network}`, what, hint);
}

/** Names the network where the cluster's store fails, which knows only keys. */
export async function onNetwork<T>(network: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    const isNamed = !(thrown instanceof NetError) || thrown.subject.includes(network);
    if (isNamed || thrown.kind !== 'unavailable') throw thrown;
    const what = `the cluster's store cannot be asked: ${thrown.subject}: ${thrown.what}`;
    throw fault.unavailable('overlay', `network ${network}`, what, thrown.hint, { cause: thrown });
  }
}

/** An address source, and what to do if the endpoint is not created, and at the end. */
export interface ClaimedSource {
  readonly source: LocalSource;
  readonly abandon: () => void;
}

/**
 * The addresses of an endpoint on an overlay network. In mode `shared`, they are claimed in the cluster before this
 * returns; in mode `per-host`, the host allocates them from its own range.
 */
export async function overlaySource(
  core: Pick<Core, 'cluster' | 'host'>,
  { options, sets }: JoinedNetwork,
  spec: Omit<PoolSpec, 'sets'>,
  { owner, mac }: { readonly owner: Attachment; readonly mac?: string | undefined },
): Promise<ClaimedSource> {
  const { identity } = core.host;
  if (options.mode === 'per-host') return { source: poolSource({ ...spec, sets }, owner, identity), abandon: () => {} };
  const cluster = clusterOf(core, owner.network);
  const claim = await cluster.claim(options.network, {
    ...{ requested: spec.requested, owner },
    ...(mac !== undefined && { mac }),
  });
  const requested = claim.addresses.map(({ address }) => address.addr);
  const local = poolSource({ ...spec, sets, requested }, owner, identity);
  return {
    source: {
      ...local,
      acquire: (store) => {
        cluster.settle(claim);
        return local.acquire(store);
      },
    },
    abandon: () => cluster.abandon(claim),
  };
}
