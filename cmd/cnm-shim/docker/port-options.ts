import type { PortRequest } from '../../../src/shared/core/ports/pick-ports.ts';
import type { DockerNetworkRow } from '../../../src/shared/store/store.ts';
import type { PortMapRequest } from './wire/messages.ts';

/** The ports to publish. Ports without a host address get the network's default one. */
export function portRequests(
  { internal, hostBinding }: Pick<DockerNetworkRow, 'internal' | 'hostBinding'>,
  portMap: readonly PortMapRequest[],
): PortRequest[] {
  if (internal) return [];
  return portMap.map((port) =>
    port.hostIp !== undefined || hostBinding === undefined ? port : { ...port, hostIp: hostBinding },
  );
}
