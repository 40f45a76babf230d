import type { TestHost } from '../support/test-host.ts';
import type { Lab } from './example-lab.ts';

/** The sentences of an example's .md as tests. */
export interface Expectation {
  readonly what: string;
  /** Why this machine cannot run it, or undefined where it can. */
  readonly missing?: (host: TestHost) => string | undefined;
  /** CNI_PATH, where it is not only the directory of this executable. */
  readonly path?: readonly string[];
  readonly run: (lab: Lab) => void | Promise<void>;
}
