/** Interfaces of libnetwork that a plugin may implement. */
export type PluginInterface = 'NetworkDriver' | 'IpamDriver';
/** `NetworkDriver.CreateEndpoint`. */
export type Method = `${PluginInterface}.${string}`;

export interface CallOptions {
  /** Aborts when the caller gives up. */
  readonly signal?: AbortSignal;
  /** False: an unreachable plugin fails at once. By default, the client retries to connect. */
  readonly retry?: boolean;
}

/** A plugin of Docker's plugin protocol, version 1. */
export interface RemotePlugin {
  readonly name: string;
  /**
   * Calls a method and returns its answer, a JSON object; `{}` for `null`. Throws NetError:
   * - `delegate` if the plugin refuses, its own words in `reason`; also if the answer is unreadable, without `reason`;
   * - `unsupported` if the plugin lacks the method;
   * - `unavailable` if the plugin is unreachable or closes the connection (with a cause of code `ENOPLUGIN` if it is not
   *   installed), `busy` if it does not answer in time.
   */
  call(method: Method, body?: object, options?: CallOptions): Promise<unknown>;
}
