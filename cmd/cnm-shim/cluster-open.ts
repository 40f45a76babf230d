import { notedMoment } from '../../src/shared/cluster/noted.ts';
import { readClusterConfig } from '../../src/shared/config/cluster.ts';
import { given } from '../../src/shared/model/given.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { assertUnderlay, currentStore, storeOptions, underlayOf } from './cluster-parts.ts';
import { ClusterSide, type ClusterSideParts } from './cluster-side.ts';

/** Starts this host's part of a cluster. Throws NetError `invalid-config` for what the file names. */
export async function openClusterSide(file: string, parts: ClusterSideParts): Promise<ClusterSide> {
  const config = readClusterConfig(file);
  assertUnderlay(underlayOf(parts.host, config), config, file);
  const seen = notedMoment(currentStore(parts.core));
  const options = { ...storeOptions(config), ...given({ seen }) };
  return new ClusterSide(config, parts, await openClusterStore(options));
}
