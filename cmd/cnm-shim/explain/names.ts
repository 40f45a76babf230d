import { namespaceName } from '../../../src/shared/runtime/explain/script.ts';

/** The name of a namespace for `ip`; elsewhere than below /run/netns, the name of its file. */
export function sandboxName(netns: string | undefined): string {
  if (netns === undefined) return '';
  return namespaceName(netns) ?? netns.slice(netns.lastIndexOf('/') + 1);
}
