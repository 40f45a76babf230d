import type { Core } from '../../../src/shared/core/core.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Scope } from '../../../src/shared/ops/doctor/registry.ts';
import { listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { inspectNetwork } from '../../../src/shared/ops/networks.ts';
import { openCore } from '../../../src/shared/runtime/context.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { type DockerNames, ofContainer, withName } from './names.ts';
import { hasState, notPermitted, type StateOptions } from './state.ts';

/** Opens the core to look at the host: leaves a state as it is, also one that does not agree with this boot. */
export function openLook({ stateDir }: StateOptions): CallCore {
  // Throws for a user who may not look.
  hasState({ stateDir });
  return openCore({ ...process.env, ISTHMUS_STATE_DIR: stateDir }, { looks: true });
}

/** Runs a verb that reads the kernel. Throws NetError `bad-environment` for a user whom the kernel refuses. */
export async function looking<T>(verb: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const isRefused = thrown instanceof NetError && (thrown.errno === EPERM || thrown.errno === EACCES);
    if (process.getuid?.() !== 0 && isRefused) throw notPermitted(verb, 'packet filter', thrown);
    throw thrown;
  }
}

const [EPERM, EACCES] = [1, 13];

/** The network or the container that `text` names. Throws NetError `unknown-container` or `conflict`. */
export async function scopeOf(core: Core, text: string, names: DockerNames): Promise<Scope> {
  try {
    const { name } = await inspectNetwork(core, text, names.networks);
    return { networks: [name], containers: [] };
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'unknown-container')) throw thrown;
  }
  try {
    const found = ofContainer(
      listEndpoints(core).map((info) => withName(info, names)),
      text,
    );
    return { networks: [...new Set(found.map(({ network }) => network))], containers: found.map(({ id }) => id) };
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'unknown-container')) throw thrown;
    const what = 'there is no network and no container of this name or id';
    const hint = 'isthmus network ls and isthmus endpoint ls show those that there are';
    throw new NetError({ kind: 'unknown-container', op: 'doctor', subject: text, what, hint });
  }
}
