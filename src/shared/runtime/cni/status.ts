import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import type { PluginCall } from './request.ts';
import { targetOf } from './targets.ts';

/** STATUS (SPEC.md §2): returns if an ADD of this configuration could succeed now; throws otherwise. */
export async function status(call: PluginCall, core: Core): Promise<void> {
  const target = targetOf(call, core);
  const controller = new NetworkController(core);
  if (target.kind === 'endpoint') await controller.status(target.request.source);
  if (target.kind === 'addresses') await controller.status(target.source);
}
