import { readFileSync } from 'node:fs';
import { hasCode } from '../../errors/net-error.ts';
import type { PoolCandidate } from '../../ipam/choose-pool.ts';
import { digest } from '../../model/attachment.ts';
import { type Prefix, parsePrefix } from '../../model/prefix.ts';

const MACHINE_ID = '/etc/machine-id';

/**
 * Default candidates: 1,024 subnets of 10.192.0.0/12, which Docker's defaults do not use; where a route takes 10/8, those
 * of the other private ranges (RFC 1918); and the 65,536 of this host's unique local prefix (RFC 4193), which is the same
 * at every start.
 */
export function defaultCandidates(hostId: string, machineId = readMachineId()): PoolCandidate[] {
  const [a, b, c, d, e] = digest('unique local prefix', machineId, hostId).match(/../g) ?? [];
  return [
    ...['10.192.0.0/12', '172.16.0.0/12', '192.168.0.0/16'].map((base) => ({ base: prefix(base), size: 22 })),
    { base: prefix(`fd${a}:${b}${c}:${d}${e}::/48`), size: 64 },
  ];
}

/** Distinguishes machines: most hosts have the same host id, `root`. */
function readMachineId(): string {
  try {
    return readFileSync(MACHINE_ID, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return '';
    throw error;
  }
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}
