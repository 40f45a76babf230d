import { NETLINK_XFRM } from '../netlink/constants.ts';
import { listenTo } from '../netlink/listener.ts';
import {
  XFRM_MSG_DELPOLICY,
  XFRM_MSG_DELSA,
  XFRM_MSG_FLUSHPOLICY,
  XFRM_MSG_FLUSHSA,
  XFRM_MSG_UPDPOLICY,
  XFRMNLGRP_POLICY,
  XFRMNLGRP_SA,
} from '../netlink/xfrm.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

const CHANGES: readonly number[] = [
  XFRM_MSG_DELSA,
  XFRM_MSG_FLUSHSA,
  XFRM_MSG_DELPOLICY,
  XFRM_MSG_FLUSHPOLICY,
  XFRM_MSG_UPDPOLICY,
];

/**
 * Calls `changed` soon after an association of ESP or a policy was deleted, flushed or replaced, by whomever, until
 * disposed. Does not keep the process alive. Throws NetError `kernel` if the kernel refuses.
 */
export function watchTransforms(ns: LinuxNamespace, changed: () => void): Disposable {
  return ns.within(() =>
    listenTo({
      protocol: NETLINK_XFRM,
      groups: [XFRMNLGRP_SA, XFRMNLGRP_POLICY],
      messages: (messages) => {
        if (messages.some(({ type }) => CHANGES.includes(type))) changed();
      },
      lost: changed,
    }),
  );
}
