import type { PortRequest } from '../../../src/shared/core/ports/pick-ports.ts';
import { parseAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { DockerNetworkRow } from '../../../src/shared/store/store.ts';
import type { PortMapRequest } from './wire/messages.ts';

/** The ports to publish. Ports without a host address get the network's default one. */
export function portRequests(
  { internal, hostBinding }: Pick<DockerNetworkRow, 'internal' | 'hostBinding'>,
  portMap: readonly PortMapRequest[],
): PortRequest[] {
  if (internal) return [];
  const binding = parseAddr(hostBinding ?? '');
  return portMap.map((port) => ({ ...given({ hostIp: binding }), ...port }));
}
