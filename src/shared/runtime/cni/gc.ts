import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import { combineErrors } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import type { CollectionCall } from './request.ts';
import { releaseSource } from './sources.ts';

/** GC (SPEC.md §2): deletes CNI's attachments to this network except the listed ones. */
export async function gc(call: CollectionCall, core: Core): Promise<void> {
  const keep = keptAttachments(call);
  const source = releaseSource(call, core, keep);
  const errors = await new NetworkController(core).collectGarbage({
    camp: 'cni',
    network: call.config.name,
    keep,
    interfaces: call.plugin === 'isthmus' || call.plugin === 'bridge',
    ...given({ source }),
  });
  const failure = combineErrors(errors, 'GC');
  if (failure !== undefined) throw failure;
}

/** The attachments of the network that are alive. */
export function keptAttachments({ config: { name: network, keep } }: CollectionCall): Attachment[] {
  return keep.map((one) => ({ camp: 'cni', network, ...one }));
}
