import type { Facts } from './facts.ts';
import type { Found } from './finding.ts';

/** One cause of trouble. Pure: it looks at the facts only, and finds nothing on a healthy host. */
export interface Rule {
  readonly name: string;
  check(facts: Facts): readonly Found[];
}
