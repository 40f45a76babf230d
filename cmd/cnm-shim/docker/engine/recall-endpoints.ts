import type { Core } from '../../../../src/shared/core/core.ts';
import { recordOffered } from '../../../../src/shared/core/endpoints/offer-endpoint.ts';
import { offeringDriverOf } from '../../../../src/shared/core/networks/record.ts';
import { asNetError, type NetError } from '../../../../src/shared/errors/net-error.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { parsePrefix } from '../../../../src/shared/model/prefix.ts';
import { addressingOf, placeOf } from '../docker-endpoint.ts';
import type { DockerEndpoint } from './api-answers.ts';

/**
 * Records the endpoints that dockerd has on a network of a parent whose record was lost. Their interfaces are in
 * containers, so that nothing on the host names them, and their addresses would be given again. Returns all failures.
 */
export async function recallEndpoints(
  core: Core,
  networkId: string,
  told: readonly DockerEndpoint[],
  now: number,
): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const { id: endpointId, addresses } of told) {
    try {
      const { network, spec, attachment } = placeOf(core, { networkId, endpointId });
      const driver = offeringDriverOf(spec.options, network.network);
      if (driver === undefined || !('describeLone' in driver)) return errors;
      const prefixes = addresses.flatMap((text) => parsePrefix(text) ?? []);
      await recordOffered(core, {
        ...{ attachment, driver, addressing: addressingOf(spec, prefixes, attachment), now },
        ...{ driverName: spec.options.driver, dockerNetwork: network.id },
        ...given({ scope: network.scope }),
      });
    } catch (thrown) {
      errors.push(asNetError(thrown, 'docker'));
    }
  }
  return errors;
}
