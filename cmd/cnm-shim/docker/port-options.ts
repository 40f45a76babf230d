import { parentedOf } from '../../../src/shared/config/parented.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import type { PortRequest } from '../../../src/shared/core/ports/pick-ports.ts';
import { parseAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { DockerNetworkRow } from '../../../src/shared/store/store.ts';
import { shortId } from './network-options.ts';
import type { PortMapRequest, ProgramRequest } from './wire/messages.ts';

/** The ports to publish. Ports without a host address get the network's default one. */
export function portRequests(
  { internal, hostBinding }: Pick<DockerNetworkRow, 'internal' | 'hostBinding'>,
  portMap: readonly PortMapRequest[],
): PortRequest[] {
  if (internal) return [];
  const binding = parseAddr(hostBinding ?? '');
  return portMap.map((port) => ({ ...given({ hostIp: binding }), ...port }));
}

/** Logs that a network on a parent publishes no ports. Docker's own drivers ignore them too. */
export function tellUnpublished(
  { log }: Pick<Core, 'log'>,
  options: { readonly driver: string },
  { endpointId, portMap }: ProgramRequest,
): void {
  if (portMap.length === 0 || parentedOf(options) === undefined) return;
  const reason = `driver ${options.driver} publishes no ports: all are reachable at the container's own address`;
  log.warn('ports.ignored', { endpoint: shortId(endpointId), ports: portMap.length, reason });
}
