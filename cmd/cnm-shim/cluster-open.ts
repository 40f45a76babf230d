import { notedMoment } from '../../src/shared/cluster/noted.ts';
import { readClusterConfig } from '../../src/shared/config/cluster.ts';
import { given } from '../../src/shared/model/given.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { assertUnderlay, currentStore, storeOptions, underlayOf } from './cluster-parts.ts';
import { ClusterSide, type ClusterSideParts } from './cluster-side.ts';
import { moveDevices } from './cluster-uses.ts';

/** Starts this host's part of a cluster. Throws NetError `invalid-config` for what the file names. */
export async function openClusterSide(file: string, parts: ClusterSideParts): Promise<ClusterSide> {
  const config = readClusterConfig(file);
  const underlay = underlayOf(parts.host, config);
  assertUnderlay(underlay, config, file);
  const local = currentStore(parts.core);
  // Before the first pass: the address may have changed while no daemon ran.
  if (underlay.address !== undefined) moveDevices(local, underlay.address);
  const seen = notedMoment(local);
  const options = { ...storeOptions(config), ...given({ seen }) };
  return new ClusterSide(config, parts, await openClusterStore(options));
}
