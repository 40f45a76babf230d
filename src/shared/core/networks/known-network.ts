import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Core } from '../core.ts';

/** Spec of the Network of this name: on record, else from a CNI configuration file; undefined if neither has it. */
export function knownNetwork({ store, configured }: Core, name: string): NetworkSpec | undefined {
  return store.networks.get(name)?.spec ?? configured?.(name);
}
