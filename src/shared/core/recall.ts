import { parseAlias, parseDeviceAlias, standIn } from '../model/alias.ts';
import { attachmentDigest, hostIfName } from '../model/attachment.ts';
import { type Endpoint, hostIfOf, type RecalledEndpoint } from '../model/endpoint.ts';
import { given } from '../model/given.ts';
import type { LinkState } from '../model/link.ts';
import type { Lease, NetworkRow } from '../store/store.ts';

type Links = ReadonlyMap<string, LinkState>;

/** What the records say, and the boot. */
export interface Known {
  readonly networks: readonly NetworkRow[];
  readonly endpoints: readonly Endpoint[];
  readonly bootId: string;
}

/** The facts that the host's links tell and the records lack. */
export interface Recalled {
  readonly networks: readonly NetworkRow[];
  readonly endpoints: readonly RecalledEndpoint[];
  /** Leases of all interfaces, on record or not. */
  readonly leases: readonly Lease[];
  /** All parts on record of the attachments whose interface is gone. */
  readonly gone: readonly Endpoint[];
}

/** Compares the records with the aliases of the host's links. Pure. */
export function recall(links: Links, known: Known): Recalled {
  const all = [...links.values()];
  const found = all.flatMap(endpointOf);
  const recorded = new Set(
    known.endpoints.flatMap(({ attachment, role }) => (role === 'interface' ? [attachmentDigest(attachment)] : [])),
  );
  return {
    networks: networksOf(all, known),
    endpoints: found.flatMap(({ row }) => (recorded.has(attachmentDigest(row.attachment)) ? [] : [row])),
    leases: found.flatMap(({ leases }) => leases),
    gone: goneOf(links, known.endpoints),
  };
}

function goneOf(links: Links, rows: readonly Endpoint[]): Endpoint[] {
  const isGone = (row: Endpoint): boolean => {
    const hostIf = hostIfOf(row);
    return hostIf !== undefined && row.progress === 'ready' && !links.has(hostIf);
  };
  const gone = new Set(rows.filter(isGone).map(({ attachment }) => attachmentDigest(attachment)));
  return rows.filter(({ attachment }) => gone.has(attachmentDigest(attachment)));
}

/** The networks that bridges and shims name and no record has. */
function networksOf(links: readonly LinkState[], { networks, bootId }: Known): NetworkRow[] {
  const names = new Set(networks.map(({ name }) => name));
  return links.flatMap((link): NetworkRow[] => {
    const made = parseDeviceAlias(link.alias);
    const { kind } = link;
    if (made === undefined || names.has(made.network)) return [];
    if (kind !== 'bridge' && kind !== 'macvlan' && kind !== 'ipvlan') return [];
    names.add(made.network);
    const owned = [{ kind: 'link', name: link.name, link: kind }] as const;
    return [{ name: made.network, driver: made.driver, device: link.name, bootId, owned }];
  });
}

/** The endpoint that a link's alias names, with its leases. */
function endpointOf(link: LinkState): { readonly row: RecalledEndpoint; readonly leases: readonly Lease[] }[] {
  const record = parseAlias(link.alias);
  if (record === undefined || link.kind !== 'veth') return [];
  const { scope, addresses } = record;
  const isCut = record.attachment.containerId === '';
  if (!isCut && hostIfName(record.attachment) !== link.name) return [];
  const attachment = isCut ? standIn(record.attachment, link.name) : record.attachment;
  const row: RecalledEndpoint = {
    kind: 'recalled',
    attachment,
    role: 'interface',
    progress: 'ready',
    sandbox: { path: '', id: '' },
    hostIf: link.name,
    ...given({ scope }),
    ...(isCut ? { isCut } : {}),
  };
  const leases =
    scope === undefined
      ? []
      : addresses.map((address): Lease => ({ scope, address, owner: attachment, source: 'store' }));
  return [{ row, leases }];
}
