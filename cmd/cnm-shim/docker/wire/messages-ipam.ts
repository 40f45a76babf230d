import type { Addr } from '../../../../src/shared/model/addr.ts';
import { given } from '../../../../src/shared/model/given.ts';
import type { Prefix } from '../../../../src/shared/model/prefix.ts';
import {
  asAddr,
  asFlag,
  asPrefix,
  asTextMap,
  bodyPart,
  part,
  refusal,
  requiredAt,
  type TextMap,
  textAt,
} from './messages-fields.ts';

export interface RequestPoolRequest {
  readonly addressSpace: string;
  /** The value of `--subnet`. */
  readonly pool?: Prefix;
  /** The value of `--ip-range`. */
  readonly subPool?: Prefix;
  /** All `--ipam-opt` options of the user. */
  readonly options: TextMap;
  readonly v6: boolean;
}

export interface PoolIdentity {
  readonly poolId: string;
}

export interface RequestAddressRequest extends PoolIdentity {
  /** Absent: any free address. */
  readonly address?: Addr;
  /** True for the network's gateway. */
  readonly gateway: boolean;
}

export interface ReleaseAddressRequest extends PoolIdentity {
  readonly address: Addr;
}

export function decodeRequestPool(body: unknown): RequestPoolRequest {
  const whole = bodyPart(body);
  const v6 = asFlag(part(whole, 'V6'));
  const family = v6 ? 6 : 4;
  const pool = asPrefix(part(whole, 'Pool'), family);
  const subPool = asPrefix(part(whole, 'SubPool'), family);
  return {
    addressSpace: textAt(whole, 'AddressSpace') ?? '',
    ...given({ pool, subPool }),
    options: asTextMap(part(whole, 'Options')),
    v6,
  };
}

/** ReleasePool. */
export function decodePoolIdentity(body: unknown): PoolIdentity {
  return { poolId: requiredAt(bodyPart(body), 'PoolID') };
}

const ADDRESS_TYPE = 'RequestAddressType';
const GATEWAY_TYPE = 'com.docker.network.gateway';

export function decodeRequestAddress(body: unknown): RequestAddressRequest {
  const whole = bodyPart(body);
  const address = asAddr(part(whole, 'Address'));
  const options = asTextMap(part(whole, 'Options'));
  return {
    poolId: requiredAt(whole, 'PoolID'),
    ...given({ address }),
    gateway: options[ADDRESS_TYPE] === GATEWAY_TYPE,
  };
}

export function decodeReleaseAddress(body: unknown): ReleaseAddressRequest {
  const whole = bodyPart(body);
  const address = asAddr(part(whole, 'Address'));
  if (address === undefined) throw refusal(part(whole, 'Address'), 'it is missing', 'Name the address to release');
  return { poolId: requiredAt(whole, 'PoolID'), address };
}
