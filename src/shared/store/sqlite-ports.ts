import type { SQLInputValue } from 'node:sqlite';
import { type Attachment, type Camp, sameAttachment, sameContainer } from '../model/attachment.ts';
import type { Protocol } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { SqlRow } from './sqlite-file.ts';
import type { PortClaim, PortTable } from './store.ts';
import { familyOf, overlap, portTaken } from './taken.ts';

const COLUMNS = 'protocol, port, last, family, address, camp, network, container, interface';

/** `ports`: one row for each address and host port, or span of ports. */
export class SqlitePorts implements PortTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  take(...claims: readonly PortClaim[]): void {
    this.#context.write((file, boot) => {
      const number = boot();
      const lots = sorted(claims);
      const held = lots.flatMap((lot) => file.all(clashes(lot), ...keysOf(lot), number, number).map(claimOf));
      assertFree(claims, held);
      for (const lot of lots)
        file.run(insertion(lot.claims), ...lot.claims.flatMap((claim) => valuesOf(number, claim)));
    });
  }

  release({ camp, network, containerId, ifName }: Attachment): void {
    this.#context.write((file, boot) => {
      const sql = `DELETE FROM ports INDEXED BY ports_by_owner
        WHERE boot = ? AND container = ? AND interface = ? AND network = ? AND camp = ?`;
      file.run(sql, boot(), containerId, ifName, network, camp);
    });
  }

  list(owner?: Attachment): PortClaim[] {
    const order = 'ORDER BY protocol, port, family, address';
    const all = `SELECT ${COLUMNS} FROM ports WHERE boot = ? ${order}`;
    // For the order alone SQLite would read every row of the boot.
    const mine = `SELECT ${COLUMNS} FROM ports INDEXED BY ports_by_owner
      WHERE boot = ? AND container = ? AND interface = ? AND network = ? AND camp = ? ${order}`;
    return this.#context.read((file, boot) => {
      if (owner === undefined) return file.all(all, boot()).map(claimOf);
      const { camp, network, containerId, ifName } = owner;
      return file.all(mine, boot(), containerId, ifName, network, camp).map(claimOf);
    });
  }

  partners(owner: Attachment): Attachment[] {
    const sql = `SELECT DISTINCT camp, network, container, interface FROM ports INDEXED BY ports_by_owner
      WHERE boot = ? AND container = ? AND camp = ? ORDER BY network, interface`;
    return this.#context.read((file, boot) => {
      const all = file.all(sql, boot(), owner.containerId, owner.camp).map(ownerOf);
      return all.filter((other) => !sameAttachment(other, owner));
    });
  }
}

/** So many claims go into one statement: a statement costs as much as six rows. */
const LOT = 64;

/** Claims whose possible holders one statement finds. */
interface Lot {
  readonly claims: PortClaim[];
  /** True if they are of one family: holders are of it, or of both. */
  readonly hasFamily: boolean;
  /** True if they name an address: holders name it, or none. */
  readonly hasAddress: boolean;
  /** True if they are spans of ports. */
  readonly hasSpan: boolean;
}

/** Divides the claims into lots of two sizes, so that few statements are prepared. */
function sorted(claims: readonly PortClaim[]): Lot[] {
  const kinds = new Map<string, Lot>();
  for (const claim of claims) {
    const { hostIp, count = 1 } = claim;
    const kind = { hasFamily: familyOf(claim) !== undefined, hasAddress: hostIp !== undefined, hasSpan: count > 1 };
    const key = JSON.stringify(kind);
    const known = kinds.get(key);
    if (known === undefined) kinds.set(key, { ...kind, claims: [claim] });
    else known.claims.push(claim);
  }
  return [...kinds.values()].flatMap(({ claims: all, ...kind }) => {
    const lots: Lot[] = [];
    let at = 0;
    for (; at + LOT <= all.length; at += LOT) lots.push({ ...kind, claims: all.slice(at, at + LOT) });
    for (const claim of all.slice(at)) lots.push({ ...kind, claims: [claim] });
    return lots;
  });
}

/**
 * The rows that share a port with a claim of the lot: those from one of its ports on, and the spans that begin before it,
 * which are few and have an index of their own. One port may be published on a thousand addresses, so each list of
 * values is a look-up in the index, and each claim one row of an outer loop.
 */
function clashes({ claims, hasFamily, hasAddress, hasSpan }: Lot): string {
  const port = hasSpan ? 'held.port BETWEEN wanted.port AND wanted.last' : 'held.port = wanted.port';
  const place = `${hasFamily ? "AND held.family IN ('both', wanted.family)" : ''} ${
    hasAddress ? "AND held.address IN ('', wanted.address)" : ''
  }`;
  const columns = COLUMNS.split(', ')
    .map((column) => `held.${column}`)
    .join(', ');
  return `WITH wanted(protocol, port, last, family, address) AS (VALUES ${rows(claims, '(?, ?, ?, ?, ?)')})
    SELECT ${columns} FROM wanted CROSS JOIN ports AS held
      ON held.boot = ? AND held.protocol = wanted.protocol AND ${port} ${place}
    UNION ALL
    SELECT ${columns} FROM wanted CROSS JOIN ports AS held INDEXED BY port_spans
      ON held.boot = ? AND held.protocol = wanted.protocol AND held.port < wanted.port
      AND held.last > 0 AND held.last >= wanted.port ${place}`;
}

function keysOf({ claims }: Lot): SQLInputValue[] {
  return claims.flatMap((claim) => {
    const { protocol, hostIp = '', hostPort, count = 1 } = claim;
    return [protocol, hostPort, hostPort + count - 1, familyOf(claim)?.toString() ?? 'both', hostIp];
  });
}

function insertion(claims: readonly PortClaim[]): string {
  return `INSERT INTO ports (boot, ${COLUMNS}) VALUES ${rows(claims, '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')}
    ON CONFLICT DO UPDATE SET last = max(last, excluded.last)`;
}

function valuesOf(boot: number, claim: PortClaim): SQLInputValue[] {
  const { protocol, hostIp = '', hostPort, count = 1, owner } = claim;
  const last = count > 1 ? hostPort + count - 1 : 0;
  const family = familyOf(claim)?.toString() ?? 'both';
  const { camp, network, containerId, ifName } = owner;
  return [boot, protocol, hostPort, last, family, hostIp, camp, network, containerId, ifName];
}

function rows(claims: readonly PortClaim[], row: string): string {
  return Array(claims.length).fill(row).join(', ');
}

/** Throws NetError `conflict` for the first claim that shares a port with another container's. */
function assertFree(claims: readonly PortClaim[], held: readonly PortClaim[]): void {
  for (const claim of held.length === 0 ? [] : claims) {
    const holder = held.find((other) => overlap(claim, other) && !sameContainer(other.owner, claim.owner));
    if (holder !== undefined) throw portTaken(claim, holder);
  }
}

function claimOf(row: SqlRow): PortClaim {
  const last = Number(row.last);
  const hostIp = textOf(row.address);
  const family = row.family === 'both' ? undefined : row.family === '4' ? 4 : 6;
  return {
    protocol: textOf(row.protocol) as Protocol,
    hostPort: Number(row.port),
    ...(last > 0 ? { count: last - Number(row.port) + 1 } : {}),
    ...(hostIp === '' ? {} : { hostIp }),
    ...given({ family }),
    owner: ownerOf(row),
  };
}

function ownerOf(row: SqlRow): Attachment {
  return {
    camp: textOf(row.camp) as Camp,
    network: textOf(row.network),
    containerId: textOf(row.container),
    ifName: textOf(row.interface),
  };
}
