import type { ShapingState } from '../model/shaping.ts';
import {
  EINVAL,
  ENODEV,
  ENOENT,
  NLM_F_ECHO,
  RTM_GETQDISC,
  RTM_GETTFILTER,
  TC_H_INGRESS,
  TC_H_ROOT,
  TC_INGRESS_HANDLE,
} from '../netlink/constants.ts';
import { socketError } from '../netlink/message.ts';
import type { Request } from '../netlink/socket.ts';
import { filter, type QdiscMessage, qdisc } from '../netlink/tc.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import type { LinkReader } from './read-links.ts';
import { TBF_HANDLE } from './shaping-requests.ts';

/** Reads our traffic control of the devices that exist. */
export function readShaping(
  ns: LinuxNamespace,
  links: LinkReader,
  devices: readonly string[],
): ReadonlyMap<string, ShapingState> {
  const found = [...links.named(devices).values()];
  return new Map(found.map(({ name, index }) => [name, { ...tbfOf(ns, index), ...redirectOf(ns, links, index) }]));
}

/**
 * Indexes of the devices that an ingress qdisc redirects to; 0 for a deleted device. Undefined if a filter is not ours.
 */
export function redirects(ns: LinuxNamespace, index: number): readonly number[] | undefined {
  const payload = filter.encode({ header: { index, parent: TC_INGRESS_HANDLE }, attrs: {} });
  const targets: number[] = [];
  for (const message of ns.route.dump({ type: RTM_GETTFILTER, payload })) {
    const { header, attrs } = filter.decode(message.payload, true) ?? {};
    // The kernel also lists the filter's tables, which have no handle or no selector.
    if (header === undefined || header.handle === 0 || (attrs?.kind === 'u32' && attrs.u32?.selector === undefined))
      continue;
    const to = attrs?.u32?.actions?.first?.mirred?.parms?.header.to;
    if (to === undefined) return undefined;
    targets.push(to);
  }
  return targets;
}

function tbfOf(ns: LinuxNamespace, index: number): ShapingState {
  const found = qdiscAt(ns, index, TC_H_ROOT);
  const { parms, rate64 } = found?.attrs.tbf ?? {};
  if (parms === undefined || found?.header.handle !== TBF_HANDLE) return {};
  const { rate = 0, buffer: ticks = 0, limit = 0 } = parms.header;
  return { tbf: { rate: rate64 ?? rate, ticks, limit } };
}

function redirectOf(ns: LinuxNamespace, links: LinkReader, index: number): ShapingState {
  if (qdiscAt(ns, index, TC_H_INGRESS)?.attrs.kind !== 'ingress') return {};
  const [to = 0] = redirects(ns, index) ?? [];
  return to === 0 ? {} : { redirect: links.nameOf(to) };
}

/** Returns a device's qdisc at a parent, or undefined for none and for default qdiscs. */
function qdiscAt(ns: LinuxNamespace, index: number, parent: number): QdiscMessage | undefined {
  // Without NLM_F_ECHO, kernels before 6.8 answer only the listeners of `tc monitor`.
  const payload = qdisc.encode({ header: { index, parent }, attrs: {} });
  const request: Request = { type: RTM_GETQDISC, flags: NLM_F_ECHO, payload, reply: true };
  const [
    {
      errno,
      text,
      messages: [message],
    } = { errno: 0, text: '', messages: [] },
  ] = ns.route.exchange([request]);
  if (errno !== 0 && ![ENOENT, EINVAL, ENODEV].includes(errno))
    throw socketError(errno, 'a qdisc could not be read', text);
  return message && qdisc.decode(message.payload, true);
}
