import { type Attachment, type Camp, sameAttachment, sameContainer } from '../model/attachment.ts';
import type { Protocol } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { SqlRow } from './sqlite-file.ts';
import type { PortClaim, PortTable } from './store.ts';
import { familyOf, portTaken } from './taken.ts';

const COLUMNS = 'protocol, port, last, family, address, camp, network, container, interface';

/** `ports`: one row for each address and host port, or span of ports. */
export class SqlitePorts implements PortTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  take(claim: PortClaim): void {
    const { protocol, hostIp = '', hostPort, count = 1, owner } = claim;
    const family = familyOf(claim)?.toString() ?? 'both';
    const { camp, network, containerId, ifName } = owner;
    this.#context.write((file, boot) => {
      const number = boot();
      const last = hostPort + count - 1;
      // One port may be published on a thousand addresses, so each list is a look-up in the index.
      const families = family === 'both' ? [] : ['both', family];
      const addresses = hostIp === '' ? [] : ['', hostIp];
      const place = `${families.length > 0 ? 'AND family IN (?, ?)' : ''} ${addresses.length > 0 ? 'AND address IN (?, ?)' : ''}`;
      // Spans that begin before the claim are few, and have an index of their own.
      const clash = `SELECT ${COLUMNS} FROM ports
        WHERE boot = ? AND protocol = ? AND ${count > 1 ? 'port BETWEEN ? AND ?' : 'port = ?'} ${place}
        UNION ALL
        SELECT ${COLUMNS} FROM ports INDEXED BY port_spans
        WHERE boot = ? AND protocol = ? AND port < ? AND last > 0 AND last >= ? ${place}`;
      const within = [number, protocol, hostPort, ...(count > 1 ? [last] : []), ...families, ...addresses];
      const around = [number, protocol, hostPort, hostPort, ...families, ...addresses];
      const holders = file.all(clash, ...within, ...around).map(claimOf);
      const holder = holders.find((other) => !sameContainer(other.owner, owner));
      if (holder !== undefined) throw portTaken(claim, holder);
      const sql = `INSERT INTO ports (boot, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET last = max(last, excluded.last)`;
      file.run(
        sql,
        number,
        protocol,
        hostPort,
        count > 1 ? last : 0,
        family,
        hostIp,
        camp,
        network,
        containerId,
        ifName,
      );
    });
  }

  release({ camp, network, containerId, ifName }: Attachment): void {
    this.#context.write((file, boot) => {
      const sql = 'DELETE FROM ports WHERE boot = ? AND container = ? AND interface = ? AND network = ? AND camp = ?';
      file.run(sql, boot(), containerId, ifName, network, camp);
    });
  }

  list(owner?: Attachment): PortClaim[] {
    const select = `SELECT ${COLUMNS} FROM ports WHERE boot = ?`;
    const order = 'ORDER BY protocol, port, family, address';
    return this.#context.read((file, boot) => {
      if (owner === undefined) return file.all(`${select} ${order}`, boot()).map(claimOf);
      const { camp, network, containerId, ifName } = owner;
      const mine = `${select} AND container = ? AND interface = ? AND network = ? AND camp = ? ${order}`;
      return file.all(mine, boot(), containerId, ifName, network, camp).map(claimOf);
    });
  }

  partners(owner: Attachment): Attachment[] {
    const sql = `SELECT DISTINCT camp, network, container, interface FROM ports
      WHERE boot = ? AND container = ? AND camp = ? ORDER BY network, interface`;
    return this.#context.read((file, boot) => {
      const all = file.all(sql, boot(), owner.containerId, owner.camp).map(ownerOf);
      return all.filter((other) => !sameAttachment(other, owner));
    });
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
