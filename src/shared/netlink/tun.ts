import { closeSync, constants, openSync } from 'node:fs';
import type { TapLink } from '../model/link-data.ts';
import { IFNAMSIZ } from './constants.ts';
import { addressOf, ioctl } from './sys.ts';

/** linux/if_tun.h. */
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const IFF_TAP = 0x2;
const IFF_MULTI_QUEUE = 0x100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** TUNSETIFF fails with EBUSY where the name exists, instead of opening that device. */
const IFF_TUN_EXCL = 0x8000;
const DEVICE = '/dev/net/tun';
/** struct ifreq: the name (IFNAMSIZ), then a union. linux/if.h */
const IFREQ_BYTES = 40;

/**
 * Makes a persistent tap in the calling thread's network namespace; nothing is left of it after a failure. Throws
 * NetError `kernel` for a failed ioctl, Node's error where the device cannot be opened.
 * Source: Documentation/networking/tuntap.rst.
 */
export function createTap(name: string, { owner, group, multiQueue, vnetHdr }: Omit<TapLink, 'kind'>): void {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, 0, IFNAMSIZ - 1);
  const options = (multiQueue ? IFF_MULTI_QUEUE : 0) | (vnetHdr ? IFF_VNET_HDR : 0);
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | options, IFNAMSIZ);
  const fd = openSync(DEVICE, constants.O_RDWR);
  try {
    ioctl(fd, TUNSETIFF, addressOf(request));
    if (owner !== undefined) ioctl(fd, TUNSETOWNER, owner);
    if (group !== undefined) ioctl(fd, TUNSETGROUP, group);
    // Until here, the tap vanishes with the descriptor.
    ioctl(fd, TUNSETPERSIST, 1);
  } finally {
    closeSync(fd);
  }
}
