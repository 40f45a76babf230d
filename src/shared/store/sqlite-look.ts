import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { HostIdentity } from '../host/host.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { parseEndpoint } from './bodies.ts';
import { assertFile } from './state-dir.ts';

/** A look at a state that changes nothing: creates, migrates and repairs no file, and waits for nobody. */
export interface StateLook extends Disposable {
  /** Names of the networks. */
  networks(): string[];
  /** Ids of the containers of this boot. */
  containers(): string[];
  /** The part of this attachment that has its interface. */
  endpoint(attachment: Attachment): Endpoint | undefined;
}

/** Milliseconds to wait for a writer. */
const WAIT_MS = 100;
const OF_BOOT = 'boot IN (SELECT id FROM boots WHERE host = ? AND boot = ?)';

/** Throws node:sqlite's own errors: without a state, and for one of another schema. Throws Error for what is no file. */
export function lookAtState(stateDir: string, { hostId, bootId }: HostIdentity): StateLook {
  const path = join(stateDir, 'state.db');
  assertFile(path);
  const db = new DatabaseSync(path, { readOnly: true, timeout: WAIT_MS });
  const texts = (sql: string, ...values: readonly string[]): string[] =>
    db
      .prepare(sql)
      .all(...values)
      .flatMap(({ text }) => (typeof text === 'string' ? [text] : []));
  return {
    networks: () => texts('SELECT name AS text FROM networks WHERE host = ? ORDER BY name', hostId),
    containers: () =>
      texts(`SELECT DISTINCT container AS text FROM endpoints WHERE ${OF_BOOT} ORDER BY container`, hostId, bootId),
    endpoint: ({ network, camp, containerId, ifName }) => {
      const key = 'network = ? AND camp = ? AND container = ? AND interface = ? AND role = ?';
      const sql = `SELECT body AS text FROM endpoints WHERE ${OF_BOOT} AND ${key}`;
      const [body] = texts(sql, hostId, bootId, network, camp, containerId, ifName, 'interface');
      return body === undefined ? undefined : parseEndpoint(body);
    },
    [Symbol.dispose]: () => db.close(),
  };
}
