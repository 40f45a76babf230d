import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import { assertServing } from '../../core/plugins/addresses.ts';
import { NetError } from '../../errors/net-error.ts';
import { isOverlay, overlayStatus } from './overlay.ts';
import type { PluginCall } from './request.ts';
import { targetOf } from './targets.ts';

/**
 * STATUS (SPEC.md §2): returns if an ADD of this configuration could succeed now; throws otherwise. A runtime that takes
 * the node out of service then (containerd 2, kubelet) would evict running pods because no further one fits: with
 * `"exhaustedStatus": "log"`, an exhausted pool is only a line in the log.
 */
export async function status(call: PluginCall, core: Core): Promise<void> {
  const { config } = call;
  if (config.kind === 'endpoint' && isOverlay(config)) return overlayStatus(call, config, core);
  const target = targetOf(call, core);
  const source = 'request' in target ? target.request.source : 'source' in target ? target.source : undefined;
  if (target.kind === 'remote') await assertServing(core, target.request.plugged.plugins);
  try {
    await new NetworkController(core).status(source);
  } catch (thrown) {
    const isExhausted = thrown instanceof NetError && thrown.kind === 'unavailable' && source?.kind === 'local';
    if (!isExhausted || call.config.exhaustedStatus !== 'log') throw thrown;
    core.log.warn('pool.exhausted', { error: thrown.message });
  }
}
