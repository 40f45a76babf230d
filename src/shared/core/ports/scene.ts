import type { PortMapping } from '../../config/port-mappings.ts';
import { asNetError } from '../../errors/net-error.ts';
import { type Attachment, attachmentDigest } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import type { LocalStore } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { baseOf, type PortRange, type PortRequest, type PortScene, rangeOf } from './pick-ports.ts';
import { claimOf } from './publish.ts';
import { listenerOn, lookAtReserved, type PortsSeen, type PortsWanted } from './seen.ts';

const RANGE = 'net/ipv4/ip_local_port_range';
const RESERVED = 'net/ipv4/ip_local_reserved_ports';

/** The kernel's default for the range. */
const USUAL: PortRange = { first: 32_768, last: 60_999 };

/** What the host showed of the ports that requests may get. */
export interface RequestsSeen extends PortsSeen {
  readonly ephemeral: PortRange;
  readonly reserved: readonly PortRange[];
}

/**
 * Looks at all ports that the requests may get, and reserves those of requests for one port where the daemon holds
 * ports. The caller holds no transaction.
 */
export async function lookAtRequests(
  core: Core,
  requests: readonly PortRequest[],
  owner: Attachment,
): Promise<RequestsSeen> {
  const { sysctls } = core.host.observe(core.host.own, { sysctls: [RANGE, RESERVED] });
  const [ephemeral = USUAL] = parseRanges((sysctls.get(RANGE) ?? '').replace(/\s+/, '-'));
  const choices = new Set<PortsWanted>();
  const wanted = requests.map((request): PortsWanted => {
    const { protocol, hostIp, family } = baseOf(request);
    const { first, last } = request.hostPort === 0 ? ephemeral : rangeOf(request);
    const count = last > first ? last - first + 1 : request.count;
    const ports = { protocol, first, ...given({ hostIp, family, count }) };
    if (last > first) choices.add(ports);
    return ports;
  });
  const seen = await lookAtReserved(core, wanted, owner, (ports) => !choices.has(ports));
  return { ...seen, ephemeral, reserved: parseRanges(sysctls.get(RESERVED) ?? '') };
}

/** The scene for an attachment that has `current` in force. The caller runs it in a transaction. */
export function portScene(
  seen: RequestsSeen,
  store: LocalStore,
  owner: Attachment,
  current: readonly PortMapping[],
  hasClaim: (mapping: PortMapping) => boolean,
): PortScene {
  const { ephemeral, reserved } = seen;
  return {
    current,
    ephemeral,
    reserved,
    // Keeps one container's ports together and those of different containers apart.
    start: Number.parseInt(attachmentDigest(owner).slice(0, 8), 16),
    listener: (mapping) => listenerOn(seen, mapping),
    claim: (mapping) => {
      if (hasClaim(mapping)) return undefined;
      try {
        store.ports.take(claimOf(mapping, owner));
        return undefined;
      } catch (thrown) {
        const error = asNetError(thrown, 'ports');
        if (error.kind !== 'conflict') throw error;
        return error;
      }
    },
  };
}

/** Parses `8080,9148-9150`; skips malformed items. */
function parseRanges(text: string): PortRange[] {
  return text.split(',').flatMap((word) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(word.trim()) ?? [];
    return first === undefined ? [] : [{ first: Number(first), last: Number(last) }];
  });
}
