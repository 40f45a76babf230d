import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';

/** NetError `drift` for something that differs from what ADD left. */
export function drift(subject: string, what: string): NetError {
  return fault.drift('CHECK', subject, what, 'Run DEL, then ADD');
}
