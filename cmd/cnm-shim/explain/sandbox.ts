import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../../src/shared/host/linux-namespace.ts';

/** Undefined where there is no namespace. */
export function openSandbox(host: LinuxHost, netns: string | undefined): LinuxNamespace | undefined {
  try {
    return netns === undefined ? undefined : host.open(netns);
  } catch (thrown) {
    if (thrown instanceof NetError && thrown.kind === 'invalid-namespace') return undefined;
    throw thrown;
  }
}
