export interface CatalogRow {
  /** `code` of a CNI error (SPEC.md §5; 100 and above are this plugin's own). */
  readonly cni: number;
  /** Exit code of an operator verb. */
  readonly exit: number;
  /** True if the same call can succeed later without any change. */
  readonly retry: boolean;
  readonly meaning: string;
}

/**
 * One row for each kind of failure: the CNI code and the exit code of a verb. docs/errors.md lists `meaning` and `retry`.
 */
export const CATALOG = {
  'incompatible-version': { cni: 1, exit: 2, retry: false, meaning: 'CNI version is not supported' },
  'unsupported-field': { cni: 2, exit: 2, retry: false, meaning: 'a field is not supported here' },
  'unknown-container': { cni: 3, exit: 1, retry: false, meaning: 'container is not known' },
  'bad-environment': { cni: 4, exit: 2, retry: false, meaning: 'a CNI_ variable is missing or malformed' },
  io: { cni: 5, exit: 1, retry: true, meaning: 'input, output or disk failed' },
  decode: { cni: 6, exit: 2, retry: false, meaning: 'input is not JSON' },
  'invalid-config': { cni: 7, exit: 2, retry: false, meaning: 'a key of the configuration is wrong' },
  'invalid-namespace': { cni: 8, exit: 2, retry: false, meaning: 'network namespace is not usable' },
  busy: { cni: 11, exit: 1, retry: true, meaning: 'another call works on the same thing; try again later' },
  'newer-schema': { cni: 11, exit: 1, retry: true, meaning: 'state was written by a newer version' },
  exhausted: { cni: 11, exit: 1, retry: true, meaning: 'the pool has no free address' },
  'no-lease': { cni: 11, exit: 1, retry: true, meaning: 'no DHCP server leased an address' },
  unavailable: { cni: 50, exit: 1, retry: true, meaning: 'ADD could not be served now' },
  exists: { cni: 100, exit: 1, retry: false, meaning: 'the thing exists already' },
  conflict: { cni: 101, exit: 1, retry: false, meaning: 'another owner holds what was asked for' },
  drift: { cni: 102, exit: 1, retry: false, meaning: 'the kernel differs from what CHECK expects' },
  kernel: { cni: 103, exit: 1, retry: false, meaning: 'the kernel refused a step' },
  unsupported: { cni: 104, exit: 1, retry: false, meaning: 'this kernel or host lacks what is needed' },
  delegate: { cni: 105, exit: 1, retry: false, meaning: 'a delegated plugin failed' },
  state: { cni: 106, exit: 1, retry: true, meaning: 'the state store failed' },
  'state-reset': { cni: 106, exit: 1, retry: true, meaning: 'the state was broken and has been set aside' },
  internal: { cni: 999, exit: 1, retry: false, meaning: 'a defect of this program' },
} as const satisfies Record<string, CatalogRow>;

export type ErrorKind = keyof typeof CATALOG;
