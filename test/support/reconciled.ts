import { DockerService } from '../../cmd/cnm-shim/docker/docker-service.ts';
import { DockerApi } from '../../cmd/cnm-shim/docker/engine/api.ts';
import { Reconciler, type Timing } from '../../cmd/cnm-shim/docker/engine/reconcile.ts';
import type { Routes } from '../../cmd/cnm-shim/docker/wire/routes.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { makePhases } from '../../src/shared/runtime/phases.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { makeCore, type TestCore } from './core.ts';
import type { RecordedDocker } from './docker-api.ts';

/** The handlers on a host and a state in memory, and what keeps the state as a dockerd knows things. */
export interface Reconciled {
  readonly core: TestCore;
  readonly routes: Routes;
  /** Calls a method as dockerd would. */
  call(method: string, body: object): Promise<object>;
  reconciler(timing?: Partial<Timing>, process?: string): Reconciler;
}

export function makeReconciled(
  host: FakeHost,
  docker: RecordedDocker,
  disk = new MemoryDisk(),
  parts: Pick<Core, 'plugins'> = {},
): Reconciled {
  const core = { ...makeCore(host, disk), ...parts };
  const { log } = core;
  const open = () => ({ ...core, [Symbol.dispose]: () => {}, [Symbol.asyncDispose]: async () => {} });
  const routes = new DockerService({ cores: { open }, log, candidates: [] }).routes();
  return {
    ...{ core, routes },
    call: async (method, body) => {
      const phases = makePhases(() => 0, 0);
      const route = routes[method];
      if (route === undefined) throw new Error(`there is no ${method}`);
      return await route.handle(body, { phases });
    },
    reconciler: (timing, process) =>
      new Reconciler({
        ...{ open, routes, log },
        api: new DockerApi({ socket: docker.socket, ...(process === undefined ? {} : { process }) }),
        timing: { between: 1, settle: 1, ...timing },
      }),
  };
}
