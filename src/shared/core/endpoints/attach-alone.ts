import type { Namespace } from '../../host/host.ts';
import type { LoneEndpoint } from '../../model/endpoint.ts';
import type { LocalStore } from '../../store/store.ts';
import { assertOther } from '../ambient.ts';
import { attachmentKey, transition } from '../apply.ts';
import type { Core, IpamResult } from '../core.ts';
import type { AttachRequest, EndpointReport } from '../requests.ts';
import { asRemoval, clearWay } from './clear-way.ts';
import { removeEndpoint } from './delete-endpoint.ts';

/** What is on record of an interface without a side on the host, and what IPAM gave it. */
export interface Alone {
  readonly facts: LoneEndpoint;
  readonly result: IpamResult;
}

/** How one kind of such interfaces is made. */
export interface AloneSteps<A extends Alone> {
  /** The intent, before the kernel changes. Called in a transaction. */
  readonly begin: (store: LocalStore, sandbox: Namespace) => A;
  /** Makes the interface. Returns what it is. */
  readonly build: (begun: A, sandbox: Namespace) => Promise<A>;
  /** Called in the transaction that marks it `ready`. */
  readonly commit?: () => void;
  readonly report: (result: IpamResult, sandbox: Namespace) => EndpointReport;
}

/** Makes and records an interface that has no side on the host. On an error, reverts everything before throwing. */
export async function attachAlone<A extends Alone>(
  core: Core,
  request: AttachRequest,
  { begin, build, commit, report }: AloneSteps<A>,
): Promise<EndpointReport> {
  using sandbox = core.host.open(request.netns);
  assertOther(core.host, sandbox, request);
  using _lock = await core.lock(attachmentKey(request.attachment));
  core.mark?.('lock');
  await clearWay(core, request, sandbox);
  let begun: A | undefined;
  let built: A | undefined;
  await transition(core, 'ADD', {
    begin: (store) => {
      begun = begin(store, sandbox);
      return begun.facts;
    },
    apply: async () => {
      if (begun === undefined) throw new Error('a transition began without facts');
      built = await build(begun, sandbox);
      return built.facts;
    },
    ...(commit === undefined ? {} : { commit }),
    revert: () => removeEndpoint(core, asRemoval(request), sandbox),
  });
  if (built === undefined) throw new Error('a transition ended without facts');
  return report(built.result, sandbox);
}
