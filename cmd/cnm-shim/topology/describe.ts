import { hostname } from 'node:os';
import { listNetworks } from '../../../src/shared/ops/networks.ts';
import { describeTopology, readLinks, type TopologyEndpoint } from '../../../src/shared/ops/topology.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import type { NamedEndpoint } from '../cli/endpoint.ts';
import { dockerNames, networkOf, ownName, titleOf, withName } from '../cli/names.ts';
import type { ReportedEndpoint, TopologyReport } from './report.ts';

/** The topology of this host with Docker's names. */
export async function reportTopology(core: CallCore): Promise<TopologyReport> {
  const names = await dockerNames(core);
  const networks = describeTopology(await listNetworks(core), readLinks(core), (info) => withName(info, names));
  return {
    host: hostname(),
    networks: networks.map((network) => ({
      ...network,
      name: ownName(network.name, names.networks) ?? network.name,
      endpoints: network.endpoints.map(reported),
    })),
  };
}

function reported({ info, ports, problem }: TopologyEndpoint<NamedEndpoint>): ReportedEndpoint {
  const { id, camp, interface: inside, hostInterface, mac, addresses } = info;
  return {
    key: [networkOf(info), camp, id, inside ?? ''].join('/'),
    title: titleOf(info),
    camp,
    ...(inside !== undefined && { interface: inside }),
    ...(hostInterface !== undefined && { hostInterface }),
    ...(mac !== undefined && { mac }),
    ...{ addresses, ports },
    ...(problem !== undefined && { problem }),
  };
}
