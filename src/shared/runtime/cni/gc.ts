import { textField } from '../../config/fields.ts';
import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import { fault } from '../../errors/fault.ts';
import { combineErrors, type NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import { type Call, networkName } from './request.ts';
import { releaseSource } from './sources.ts';

/** The current key of the specification, and the key of its tag 1.1.0; libcni sends both. */
const KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments'];

/** GC (SPEC.md §2): deletes CNI's attachments to this network except the listed ones. */
export async function gc(call: Call, core: Core): Promise<void> {
  const network = networkName(call.config);
  const keep = validAttachments(call, network);
  const source = releaseSource(call, core);
  const errors = await new NetworkController(core).collectGarbage({
    camp: 'cni',
    network,
    keep,
    interfaces: call.plugin === 'isthmus' || call.plugin === 'bridge',
    ...given({ source }),
  });
  const failure = combineErrors(errors, 'GC');
  if (failure !== undefined) throw failure;
}

/**
 * Throws NetError `invalid-config` if the list is missing or malformed: otherwise every attachment would be garbage.
 */
export function validAttachments({ config }: Call, network: string): Attachment[] {
  const key = KEYS.find((name) => Object.hasOwn(config, name));
  if (key === undefined) {
    throw invalid(KEYS[0] ?? '', 'is missing', 'List the attachments that are alive; [] removes all of them');
  }
  const list = config[key] ?? [];
  if (!Array.isArray(list)) throw invalid(key, `is no list: ${JSON.stringify(list)}`, 'Give a list');
  return list.map((item: unknown, i) => {
    const containerId = textField(item, 'containerID');
    const ifName = textField(item, 'ifname');
    if (containerId === undefined || ifName === undefined) {
      const fault = `[${i}] lacks ${containerId === undefined ? 'containerID' : 'ifname'}: ${JSON.stringify(item)}`;
      throw invalid(key, fault, 'Each attachment is { "containerID": …, "ifname": … }');
    }
    return { camp: 'cni', network, containerId, ifName };
  });
}

function invalid(key: string, what: string, hint: string): NetError {
  return fault.invalidConfig('config', `["${key}"]`, what, hint);
}
