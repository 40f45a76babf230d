import type { Phases } from '../../../../src/shared/runtime/phases.ts';

/** What a handler is told besides the body. */
export interface CallContext {
  readonly phases: Phases;
}

/** Answers one request. Throws NetError; the value returned is what the caller gets to see as JSON. */
export type Handler = (body: unknown, call: CallContext) => Promise<object> | object;

export interface Route {
  readonly handle: Handler;
  /** The protocol has no body here: an empty one is as good as `{}`. */
  readonly emptyBody: boolean;
}

/** All that can be asked, by method: `NetworkDriver.CreateNetwork`. */
export type Routes = Readonly<Record<string, Route>>;
