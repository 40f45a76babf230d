import { remoteEndpoint } from '../../store/remote-notes.ts';
import type { Core } from '../core.ts';
import { drift } from '../drift.ts';
import { checkLone } from '../endpoints/check-lone.ts';
import type { Expectation, PluggedEndpointRequest } from '../requests.ts';
import { assertServing } from './addresses.ts';
import { openPlugins } from './open.ts';

/** As `checkLone`, for an interface that a Docker plugin made; and the plugin answers, and knows the endpoint. */
export async function checkPlugged(core: Core, request: PluggedEndpointRequest, expected: Expectation): Promise<void> {
  const { attachment } = request;
  await checkLone(core, request, expected);
  const row = remoteEndpoint(core.store.notes, attachment);
  if (row === undefined) throw drift(`container ${attachment.containerId}`, 'has no endpoint of the plugin on record');
  await assertServing(core, row.plugins);
  const { endpointInfo } = await import('../../remote/network-driver.ts');
  await endpointInfo((await openPlugins(core, row.plugins)).driver, row.facts, { retry: false });
}
