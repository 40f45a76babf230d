/**
 * Creates, deletes or restores kept networks in its network namespace: `argv[2]` says which, stdin has the request as
 * JSON. Prints one line for each failure.
 */
import { readFileSync } from 'node:fs';
import { parseSpec } from '../../src/shared/config/network-spec.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import { openCore } from '../../src/shared/runtime/context.ts';

using core = openCore(process.env);
for (const error of await errorsOf(process.argv[2] ?? '')) console.log(error.message);

async function errorsOf(verb: string): Promise<readonly NetError[]> {
  if (verb === 'start') {
    const { errors } = await reconcile(core, { sweep: true, tryLock: () => ({ [Symbol.dispose]: () => {} }) });
    return errors;
  }
  const request = JSON.parse(readFileSync(0, 'utf8'));
  if (verb === 'delete') return deleteNetwork(core, request.name, request.holder);
  await createNetwork(core, { ...request, spec: parseSpec(request.spec) });
  return [];
}
