/**
 * How the host itself reaches the interfaces on one of its parents, which the kernel keeps apart from it: by one more
 * interface on that parent.
 */
export interface HostAccess {
  /** The host's addresses on the network, without prefix length. Endpoints never get them. */
  readonly addresses: readonly string[];
  /** What the host reaches by them: where the network gives addresses. */
  readonly routes: readonly string[];
}

/** Keys of a configuration that ask for it. */
export const HOST_ACCESS_KEYS = ['hostAccess', 'hostAddresses'] as const;
