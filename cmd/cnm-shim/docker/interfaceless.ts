import { attachmentKey } from '../../../src/shared/core/apply.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import { claimAddress } from '../../../src/shared/core/pools/pools.ts';
import type { Addressing } from '../../../src/shared/drivers/driver.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import { given } from '../../../src/shared/model/given.ts';
import { formatPrefix } from '../../../src/shared/model/prefix.ts';
import type { DockerNetworkRow } from '../../../src/shared/store/store.ts';

/** Creates the endpoint of a network without interfaces: its addresses and a record. */
export async function recordOnly(
  core: Core,
  { network, attachment }: { readonly network: DockerNetworkRow; readonly attachment: Attachment },
  addressing: Addressing,
  now: number,
): Promise<void> {
  const { store, host } = core;
  using _lock = await core.lock(attachmentKey(attachment));
  const { scope, id } = network;
  store.transaction(() => {
    for (const { address } of scope === undefined ? [] : addressing.addresses) {
      claimAddress(store, scope ?? '', address.addr, attachment);
    }
    store.endpoints.put({
      ...{ kind: 'docker', role: 'interface', attachment, progress: 'ready' },
      sandbox: { path: '', id: host.own.id },
      addresses: addressing.addresses.map(({ address }) => formatPrefix(address)),
      dockerNetwork: id,
      createdAt: now,
      ...given({ scope }),
    });
  });
}
