import { given } from '../model/given.ts';
import { parentedLink } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { IFF_LOOPBACK } from '../netlink/constants.ts';
import { linkName } from '../netlink/link.ts';
import type { ParentFacts } from './link-failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { readLink } from './read-links.ts';

/** linux/if_arp.h. */
const ARPHRD_ETHER = 1;

/** What explains a refusal to create a link on its parent in `ns`; undefined for any other Op. */
export function parentFacts(op: Op, ns: LinuxNamespace): ParentFacts | undefined {
  const dev = op.op === 'link.create' ? parentedLink(op.link)?.dev : undefined;
  const found = dev === undefined ? undefined : readLink(ns, dev);
  if (found === undefined) return undefined;
  const { header, attrs } = found;
  return {
    mtu: attrs.mtu ?? 0,
    isLoopback: (header.flags & IFF_LOOPBACK) !== 0,
    isEthernet: header.type === ARPHRD_ETHER,
    ...given({ master: attrs.master === undefined ? undefined : linkName(ns.route.fd, attrs.master) }),
  };
}
