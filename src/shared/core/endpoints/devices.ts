import { findDevice, homeName, moveHome, planReturn, type Whereabouts } from '../../drivers/lone/moved.ts';
import { fault } from '../../errors/fault.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import type { Namespace } from '../../host/host.ts';
import { parseMovedAlias } from '../../model/alias.ts';
import { type Attachment, attachmentDigest, sameAttachment } from '../../model/attachment.ts';
import type { Endpoint, LoneEndpoint } from '../../model/endpoint.ts';
import type { LoneLink, LoneLinkFacts, MovedLink } from '../../model/interface-facts.ts';
import type { Op } from '../../model/op.ts';
import { ifFree, type TryLock } from '../apply.ts';
import type { Core } from '../core.ts';
import { reverse } from '../execute.ts';
import { EMPTY_VIEW } from '../view.ts';

/** Devices of the host that endpoints have for as long as they live. */

type DeviceEndpoint = LoneEndpoint & { readonly link: LoneLinkFacts & { readonly link: MovedLink } };

export function hasDevice(row: Endpoint): row is DeviceEndpoint {
  return row.kind === 'lone' && row.link.link.kind === 'moved';
}

/** Throws NetError `conflict` if another attachment has a device that `isIt` recognizes. Runs in a transaction. */
export function assertFree({ store }: Core, attachment: Attachment, isIt: (link: LoneLink) => boolean): void {
  for (const row of store.endpoints.withDevice()) {
    if (row.kind !== 'lone' || sameAttachment(row.attachment, attachment) || !isIt(row.link.link)) continue;
    const { link } = row.link;
    const { containerId, ifName, network } = row.attachment;
    throw fault.conflict(
      'ADD',
      link.kind === 'moved' ? `link ${link.dev}` : `device ${link.kind === 'userspace' ? link.device : link.kind}`,
      `container ${containerId} has it as ${ifName} (network ${network})`,
      'Call DEL for that attachment first, or choose another device',
    );
  }
}

/** True if `other` is a device of the host, and `link` is it or has its name. */
export function isSameDevice(link: LoneLink, other: LoneLink): boolean {
  return link.kind === 'moved' && other.kind === 'moved' && link.dev === other.dev;
}

/** The kernel ends a namespace on a work queue of its own: hardware comes back some time after the last process. */
const RETURN_MS = 2_000;
const POLL_MS = 20;

/**
 * Gives the device back to the host, with what it had there. Accepts that it is gone: a virtual one ends with its
 * namespace. Returns what kept it from moving; what could not be restored is logged.
 */
export async function returnDevice(core: Core, row: DeviceEndpoint, sandbox?: Namespace): Promise<NetError[]> {
  const { host, log } = core;
  const { link } = row.link;
  const found = await lookFor(core, row, sandbox);
  if (found === undefined) {
    log.warn('device.gone', { device: link.dev, container: row.attachment.containerId });
    return [];
  }
  const query = found.ns === 'host' ? { addresses: [found.link.name], routes: true } : {};
  const plan = planReturn(link, found, host.observe(host.own, { links: 'all', ...query }));
  const namespaces = sandbox === undefined ? { host: host.own } : { host: host.own, sandbox };
  const errors = await reverse(core, plan.move, namespaces);
  if (errors.length > 0) return errors;
  for (const { message } of await reverse(core, plan.restore, namespaces))
    log.warn('device.unrestored', { device: plan.name, error: message });
  if (plan.name !== link.dev) log.warn('device.renamed', { device: link.dev, name: plan.name });
  return await reverse(core, plan.unmark, namespaces);
}

async function lookFor(core: Core, { link }: DeviceEndpoint, sandbox?: Namespace): Promise<Whereabouts | undefined> {
  const { host } = core;
  const isHardware = link.link.permMac !== undefined || link.link.parentDev !== undefined;
  for (let waited = 0; ; waited += POLL_MS) {
    const inside = sandbox === undefined ? EMPTY_VIEW : host.observe(sandbox, { links: 'all' });
    const found = findDevice(link, inside, host.observe(host.own, { links: 'all' }));
    if (found !== undefined || sandbox !== undefined || !isHardware || waited >= RETURN_MS) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Ops that give back the device of an attachment without a record: our alias says its name. `anywhere` also looks on the
 * host, where a namespace that ended left it.
 */
export function strayDevice(core: Core, attachment: Attachment, sandbox?: Namespace, anywhere = false): Op[] {
  const key = attachmentDigest(attachment);
  const { host } = core;
  const outside = host.observe(host.own, { links: anywhere ? 'all' : [] });
  const inside = sandbox === undefined ? EMPTY_VIEW : host.observe(sandbox, { links: 'all' });
  for (const [ns, { links }] of [['sandbox', inside] as const, ['host', outside] as const]) {
    for (const link of links.values()) {
      const moved = parseMovedAlias(link.alias);
      if (moved?.key === key) return unmarked(core, moved.dev, { ns, link });
    }
  }
  return [];
}

/** Gives a device back under the name `dev`, and takes its alias off. */
export function unmarked({ host }: Core, dev: string, found: Whereabouts): Op[] {
  const name = homeName(dev, found, host.observe(host.own, { links: 'all' }));
  const { link, ns } = found;
  return [
    ...(ns === 'host' && link.name === name ? [] : [moveHome(link.name, ns, name)]),
    { op: 'link.set', ns: 'host', name, set: { alias: '' } },
  ];
}

/** Gives devices their names back that came to the host after the DEL of their attachment, or whose record was lost. */
export async function returnStrays(core: Core, tryLock: TryLock): Promise<NetError[]> {
  const { host, store } = core;
  const errors: NetError[] = [];
  for (const { name, alias } of host.observe(host.own, { links: 'all' }).links.values()) {
    const moved = parseMovedAlias(alias);
    if (moved === undefined) continue;
    try {
      await ifFree(tryLock, `attachment:${moved.key}`, async () => {
        const link = host.observe(host.own, { links: [name] }).links.get(name);
        const isRecorded = store.endpoints
          .list()
          .some((row) => row.role === 'interface' && attachmentDigest(row.attachment) === moved.key);
        if (link === undefined || link.alias !== alias || isRecorded) return;
        errors.push(...(await reverse(core, unmarked(core, moved.dev, { ns: 'host', link }), { host: host.own })));
      });
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return errors;
}
