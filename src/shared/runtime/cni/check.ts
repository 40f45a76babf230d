import type { CniResult } from '../../config/result.ts';
import { checkAmbient } from '../../core/ambient.ts';
import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import type { Expectation } from '../../core/requests.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { isOverlay, overlayOnRecord } from './overlay.ts';
import { checkRemote } from './remote.ts';
import type { PluginCall } from './request.ts';
import { targetOf } from './targets.ts';

/** CHECK (SPEC.md §2): returns if the attachment and prevResult are as ADD left them; throws otherwise. */
export async function check(call: PluginCall, core: Core): Promise<void> {
  const { config } = call;
  const target =
    config.kind === 'endpoint' && isOverlay(config) ? overlayOnRecord(call, config, core) : targetOf(call, core);
  if (target.kind === 'addresses') {
    const { source } = target;
    return source.kind === 'local' ? source.check(core.store, []) : await source.check();
  }
  const { previous } = call.config;
  if (previous === undefined) throw missingPrevious();
  const controller = new NetworkController(core);
  const expected = expectation(previous, call.variables.ifName);
  if (target.kind === 'lone') return await controller.checkLone(target.request, expected);
  if (target.kind === 'remote') return await checkRemote(call, core, target, expected);
  if (target.kind !== 'endpoint') return checkAmbient(core, target.kind, call.variables.netns);
  await controller.check(target.request, expected);
}

/** Selects our interface in prevResult: other plugins check their own interfaces and addresses. */
function expectation({ interfaces, ips, routes }: CniResult, ifName: string): Expectation {
  const own = interfaces.findIndex(({ name, sandbox }) => name === ifName && sandbox !== undefined);
  const addresses = ips.filter((ip) => ip.interface === undefined || ip.interface === own);
  return {
    interfaces: own < 0 ? [] : interfaces.slice(own, own + 1),
    addresses,
    routes,
  };
}

function missingPrevious(): NetError {
  return fault.invalidConfig(
    'config',
    '.prevResult',
    'is missing, and CHECK compares with it',
    'Hand the result of ADD to CHECK as prevResult',
  );
}
