import type { Phases } from '../../../../src/shared/runtime/phases.ts';

/** What a handler gets besides the body. */
export interface CallContext {
  readonly phases: Phases;
  /** W3C trace context of the request, for IPAM plugins that it runs. */
  readonly traceparent?: string;
}

/** Handles one request. Returns the answer to send as JSON. Throws NetError. */
export type Handler = (body: unknown, call: CallContext) => Promise<object> | object;

export interface Route {
  readonly handle: Handler;
  /** The protocol has no body here: an empty one counts as `{}`. */
  readonly emptyBody: boolean;
}

/** All handlers by method: `NetworkDriver.CreateNetwork`. */
export type Routes = Readonly<Record<string, Route>>;
