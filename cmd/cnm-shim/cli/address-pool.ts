import { InvalidArgumentError } from 'commander';
import type { PoolCandidate } from '../../../src/shared/core/pools/pools.ts';
import { BITS } from '../../../src/shared/model/addr.ts';
import { firstOf, parsePrefix } from '../../../src/shared/model/prefix.ts';

const FORM = /^base=([^,=]+),size=(\d{1,3})$/;
/** A subnet needs room for the gateway and one container. */
const LEAST_HOST_BITS = 2;

/**
 * Adds the candidates of `text` to the earlier ones: `base=10.99.0.0/16,size=24`, or several separated by blanks.
 * Throws InvalidArgumentError.
 */
export function parseAddressPools(text: string, before: readonly PoolCandidate[] = []): PoolCandidate[] {
  return [...before, ...text.split(/\s+/).flatMap((word) => (word === '' ? [] : [parseCandidate(word)]))];
}

function parseCandidate(text: string): PoolCandidate {
  const [, address, digits] = FORM.exec(text) ?? [];
  if (address === undefined) throw new InvalidArgumentError('Write it as in base=10.99.0.0/16,size=24.');
  const base = parsePrefix(address);
  if (base === undefined) throw new InvalidArgumentError(`${address} is no subnet; write it as in 10.99.0.0/16.`);
  if (firstOf(base).value !== base.addr.value)
    throw new InvalidArgumentError(`${address} is an address in a subnet; leave out what comes after its prefix.`);
  const [size, longest] = [Number(digits), BITS[base.addr.family] - LEAST_HOST_BITS];
  if (size < base.length || size > longest)
    throw new InvalidArgumentError(`Subnets of ${address} have a size from ${base.length} to ${longest}, not ${size}.`);
  return { base, size };
}
