import { attr, body } from './attrs.ts';
import { ip, string, u32 } from './codec.ts';

/** linux/if_addr.h, struct ifaddrmsg. */
const IFADDRMSG = { family: 'u8', length: 'u8', flags: 'u8', scope: 'u8', index: 's32' } as const;

/** linux/if_addr.h, IFA_*. `local` is the interface's own address, `address` its peer's if it has one. */
const ADDRESS_ATTRS = {
  address: attr(1, ip),
  local: attr(2, ip),
  label: attr(3, string),
  broadcast: attr(4, ip),
  flags: attr(8, u32),
};

/** RTM_NEWADDR, RTM_GETADDR, RTM_DELADDR. */
export const address = body(IFADDRMSG, ADDRESS_ATTRS);

export type AddressMessage = NonNullable<ReturnType<typeof address.decode>>;
