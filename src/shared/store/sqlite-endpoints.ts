import { type Attachment, type Camp, type Role, sameAttachment } from '../model/attachment.ts';
import { type Endpoint, hostIfOf } from '../model/endpoint.ts';
import { parseEndpoint } from './bodies.ts';
import { type Context, textOf } from './sqlite-context.ts';
import { isConstraint } from './sqlite-errors.ts';
import type { SqlRow } from './sqlite-file.ts';
import type { EndpointKey, EndpointTable, PartCount } from './store.ts';
import { interfaceTaken } from './taken.ts';

const KEY = 'boot = ? AND network = ? AND camp = ? AND container = ? AND interface = ? AND role = ?';

const SELECT = 'SELECT network, camp, container, interface, role, body FROM endpoints';

/** `endpoints`: one JSON body for each role of an attachment. */
export class SqliteEndpoints implements EndpointTable {
  readonly #context: Context;
  readonly #parse: typeof parseEndpoint;

  /** `remembers`: keeps what it has read. A body is parsed once, in 25 µs, and of a thousand there are several lists. */
  constructor(context: Context, remembers = false) {
    this.#context = context;
    this.#parse = remembers ? remembered(parseEndpoint) : parseEndpoint;
  }

  get(attachment: Attachment, role: Role): Endpoint | undefined {
    return this.#context.read((file, boot) => {
      const row = file.get(`${SELECT} WHERE ${KEY}`, boot(), ...key(attachment), role);
      return row === undefined ? undefined : this.#endpointOf(row);
    });
  }

  put(row: Endpoint): void {
    const sql = `INSERT INTO endpoints (boot, network, camp, container, interface, role, host_if, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (boot, network, camp, container, interface, role)
      DO UPDATE SET host_if = excluded.host_if, body = excluded.body`;
    // Writes no index: most rows are written again with the same interface.
    const same = `UPDATE endpoints SET body = ? WHERE ${KEY} AND host_if IS ?`;
    this.#context.write((file, boot) => {
      const [number, ids, hostIf, body] = [boot(), key(row.attachment), hostIfOf(row) ?? null, JSON.stringify(row)];
      try {
        if (file.run(same, body, number, ...ids, row.role, hostIf) > 0) return;
        file.run(sql, number, ...ids, row.role, hostIf, body);
      } catch (error) {
        throw isConstraint(error) ? interfaceTaken(row, error) : error;
      }
    });
  }

  delete(attachment: Attachment, role: Role): void {
    this.#context.write((file, boot) =>
      file.run(`DELETE FROM endpoints WHERE ${KEY}`, boot(), ...key(attachment), role),
    );
  }

  list(network?: string): Endpoint[] {
    const order = 'ORDER BY network, camp, container, interface, role';
    return this.#context.read((file, boot) => {
      const rows =
        network === undefined
          ? file.all(`${SELECT} WHERE boot = ? ${order}`, boot())
          : file.all(`${SELECT} WHERE boot = ? AND network = ? ${order}`, boot(), network);
      return this.#endpointsOf(rows);
    });
  }

  broken(network?: string): EndpointKey[] {
    const sql = `${SELECT}
      WHERE boot = ? AND network = coalesce(?, network) ORDER BY network, camp, container, interface, role`;
    return this.#context.read((file, boot) => {
      const rows = file.all(sql, boot(), network ?? null);
      return rows.filter((row) => this.#endpointOf(row) === undefined).map(keyOf);
    });
  }

  count(): PartCount[] {
    // A CASE, since a WHERE does not say what is read first.
    const sql = `SELECT camp, role, CASE WHEN json_valid(body) THEN body ->> '$.progress' END AS progress,
      count(*) AS count FROM endpoints WHERE boot = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;
    return this.#context.read((file, boot) =>
      file
        .all(sql, boot())
        .flatMap(({ camp, role, progress, count }) =>
          progress !== 'intent' && progress !== 'ready'
            ? []
            : [{ camp: camp === 'cnm' ? 'cnm' : 'cni', role: textOf(role) as Role, progress, count: Number(count) }],
        ),
    );
  }

  ofContainer({ camp, containerId }: Pick<Attachment, 'camp' | 'containerId'>): Endpoint[] {
    const sql = `${SELECT} INDEXED BY endpoints_by_container
      WHERE boot = ? AND camp = ? AND container = ? ORDER BY network, interface, role`;
    return this.#context.read((file, boot) => this.#endpointsOf(file.all(sql, boot(), camp, containerId)));
  }

  withDevice(): Endpoint[] {
    const sql = `${SELECT} INDEXED BY endpoints_with_device WHERE boot = ?
      AND CASE WHEN json_valid(body) THEN body ->> '$.link.link.kind' END IN ('moved', 'userspace')`;
    return this.#context.read((file, boot) => this.#endpointsOf(file.all(sql, boot())));
  }

  withMac(mac: string): Endpoint[] {
    const sql = `${SELECT} INDEXED BY endpoints_by_mac WHERE boot = ? AND host_if IS NULL
      AND CASE WHEN json_valid(body) THEN coalesce(body ->> '$.link.mac', body ->> '$.lone.mac') END = ?`;
    return this.#context.read((file, boot) => this.#endpointsOf(file.all(sql, boot(), mac)));
  }

  any(network: string): boolean {
    const sql = 'SELECT 1 FROM endpoints WHERE boot = ? AND network = ? LIMIT 1';
    return this.#context.read((file, boot) => file.get(sql, boot(), network) !== undefined);
  }

  #endpointsOf(rows: readonly SqlRow[]): Endpoint[] {
    return rows.flatMap((row) => this.#endpointOf(row) ?? []);
  }

  /** Undefined for a broken body, and for one that is about another endpoint than its row. */
  #endpointOf(row: SqlRow): Endpoint | undefined {
    const found = this.#parse(textOf(row.body));
    if (found === undefined) return undefined;
    const { attachment, role } = keyOf(row);
    return found.role === role && sameAttachment(found.attachment, attachment) ? found : undefined;
  }
}

function remembered<T>(parse: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    if (!known.has(text)) known.set(text, parse(text));
    return known.get(text) as T;
  };
}

function key({ network, camp, containerId, ifName }: Attachment): [string, string, string, string] {
  return [network, camp, containerId, ifName];
}

function keyOf(row: SqlRow): EndpointKey {
  const [network, containerId, ifName] = [textOf(row.network), textOf(row.container), textOf(row.interface)];
  const camp: Camp = row.camp === 'cnm' ? 'cnm' : 'cni';
  return { attachment: { camp, network, containerId, ifName }, role: textOf(row.role) as Role };
}
