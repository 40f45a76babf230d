import type { PortMapping } from '../../config/port-mappings.ts';
import { asNetError } from '../../errors/net-error.ts';
import type { Holder, Host } from '../../host/host.ts';
import { type Attachment, attachmentDigest } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import type { LocalStore } from '../../store/store.ts';
import { listens } from './holder.ts';
import type { PortRange, PortScene } from './pick-ports.ts';
import { claimOf } from './publish.ts';

const RANGE = 'net/ipv4/ip_local_port_range';
const RESERVED = 'net/ipv4/ip_local_reserved_ports';

/** The kernel's default for the range. */
const USUAL: PortRange = { first: 32_768, last: 60_999 };

/** How many ports one query covers: every query reads all sockets of the host. */
const LOT = 64;

const LAST_PORT = 65_535;

/** The scene for an attachment that has `current` in force. The caller runs it in a transaction. */
export function portScene(
  host: Host,
  store: LocalStore,
  owner: Attachment,
  current: readonly PortMapping[],
  hasClaim: (mapping: PortMapping) => boolean,
): PortScene {
  const { sysctls } = host.observe(host.own, { sysctls: [RANGE, RESERVED] });
  const [ephemeral = USUAL] = parseRanges((sysctls.get(RANGE) ?? '').replace(/\s+/, '-'));
  return {
    current,
    ephemeral,
    reserved: parseRanges(sysctls.get(RESERVED) ?? ''),
    // Keeps one container's ports together and those of different containers apart.
    start: Number.parseInt(attachmentDigest(owner).slice(0, 8), 16),
    listener: listenersOf(host),
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

/** Finds the listener on the port of a mapping. Looks up its process only when the caller asks for the text. */
function listenersOf(host: Host): PortScene['listener'] {
  const known = new Map<string, Map<number, (() => string) | undefined>>();
  return ({ protocol, hostIp, family, hostPort }) => {
    const place = [protocol, hostIp, family].join();
    const ports = known.get(place) ?? new Map<number, (() => string) | undefined>();
    known.set(place, ports);
    if (!ports.has(hostPort)) {
      const end = Math.min(hostPort + LOT - 1, LAST_PORT);
      const queries = Array.from({ length: end - hostPort + 1 }, (_, i) => ({
        protocol,
        port: hostPort + i,
        ...given({ address: hostIp, family }),
      }));
      for (const { port } of queries) ports.set(port, undefined);
      const { listeners } = host.observe(host.own, { listeners: queries });
      const inodes = listeners.map(({ inode }) => inode);
      let holders: ReadonlyMap<number, Holder> | undefined;
      const wordsOf = (inode: number): string => {
        holders ??= host.observe(host.own, { holders: inodes }).holders;
        return listens(holders.get(inode));
      };
      for (const { port, inode } of listeners) ports.set(port, () => wordsOf(inode));
    }
    return ports.get(hostPort);
  };
}
