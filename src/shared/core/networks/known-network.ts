import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Core } from '../core.ts';

/** What the Network of this name is made by: on record, else in a CNI configuration file; undefined where in neither. */
export function knownNetwork({ store, configured }: Core, name: string): NetworkSpec | undefined {
  return store.networks.get(name)?.spec ?? configured?.(name);
}
