import { awaitRunning } from '../../../src/shared/core/endpoints/await-addresses.ts';
import type { Interface } from '../../../src/shared/dhcp/sockets.ts';
import { isNoNamespace } from '../../../src/shared/host/failure.ts';
import type { Namespace } from '../../../src/shared/host/host.ts';
import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import type { LinkState } from '../../../src/shared/model/link.ts';
import type { DhcpLeaseRow } from '../../../src/shared/store/dhcp-leases.ts';

export interface OpenInterface extends Interface, Disposable {
  /** IPv4 and IPv6, without prefix lengths. */
  readonly addresses: readonly string[];
}

/** Opens the interface of a lease; undefined once it is gone, or its namespace. Throws NetError if that is unknown. */
export function openInterface(
  host: LinuxHost,
  { attachment, sandbox }: Pick<DhcpLeaseRow, 'attachment' | 'sandbox'>,
): OpenInterface | undefined {
  using stack = new DisposableStack();
  const ns = opened(() => stack.use(host.open(sandbox.path)));
  // The path may lead to another namespace by now.
  if (ns === undefined || ns.id !== sandbox.id) return undefined;
  const { ifName } = attachment;
  const view = host.observe(ns, { links: [ifName], addresses: [ifName] });
  const link = view.links.get(ifName);
  if (link === undefined) return undefined;
  const held = stack.move();
  return {
    ...{ ns, index: link.index, mac: link.mac },
    addresses: view.addresses.map(({ address }) => address.replace(/\/.*/, '')),
    [Symbol.dispose]: () => held.dispose(),
  };
}

/** Other plugins ask for an address before they set their interface up, and the reference's dhcp does it for them. */
export async function setUp(host: LinuxHost, sandbox: Namespace, { name, up }: LinkState): Promise<void> {
  if (!up) host.apply([{ op: 'link.set', ns: 'sandbox', name, set: { up: true } }], { host: host.own, sandbox });
  await awaitRunning(host, sandbox, name);
}

function opened<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (thrown) {
    if (isNoNamespace(thrown)) return undefined;
    throw thrown;
  }
}
