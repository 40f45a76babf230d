import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { HostIdentity } from '../host/host.ts';
import { SCHEMA_VERSION } from './migrations.ts';

/** What the state of one host and boot has. */
export interface BootContent {
  readonly host: string;
  readonly boot: string;
  readonly endpoints: number;
  readonly leases: number;
}

/** A state, as it is on disk. */
export interface StateInspection {
  readonly exists: boolean;
  /** Why it cannot be read. */
  readonly broken?: string;
  /** Its schema, if that is newer than this program's. */
  readonly newerSchema?: number;
  readonly boots: readonly BootContent[];
  /** Scopes of this host's leases in this boot. */
  readonly scopes: readonly string[];
  /** Broken states that were set aside, as file names, the newest first. */
  readonly aside: readonly string[];
}

const NOTHING = { boots: [], scopes: [] } as const;

/** Reads `<stateDir>/state.db` as it is: never creates, migrates or replaces it. Never throws. */
export function inspectState(stateDir: string, identity: HostIdentity): StateInspection {
  const path = join(stateDir, 'state.db');
  const aside = asideIn(stateDir);
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return { exists: false, aside, ...NOTHING };
    const sqlite = process.getBuiltinModule('node:sqlite');
    const db = new sqlite.DatabaseSync(path, { readOnly: true, timeout: 1000 });
    try {
      return { exists: true, aside, ...contentOf(db, identity) };
    } finally {
      db.close();
    }
  } catch (error) {
    return { exists: true, broken: error instanceof Error ? error.message : String(error), aside, ...NOTHING };
  }
}

function contentOf(
  db: DatabaseSync,
  { hostId, bootId }: HostIdentity,
): Omit<StateInspection, 'exists' | 'aside' | 'broken'> {
  const schema = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  if (schema > SCHEMA_VERSION) return { newerSchema: schema, ...NOTHING };
  const boots = db
    .prepare(
      `SELECT host, boot,
        (SELECT count(*) FROM endpoints WHERE endpoints.boot = boots.id) AS endpoints,
        (SELECT count(*) FROM leases WHERE leases.boot = boots.id) AS leases
      FROM boots ORDER BY id`,
    )
    .all()
    .map(({ host, boot, endpoints, leases }) => {
      return { host: String(host), boot: String(boot), endpoints: Number(endpoints), leases: Number(leases) };
    });
  const scopes = db
    .prepare('SELECT DISTINCT scope FROM leases JOIN boots ON boots.id = leases.boot WHERE host = ? AND boots.boot = ?')
    .all(hostId, bootId)
    .map(({ scope }) => String(scope));
  return { boots, scopes };
}

function asideIn(stateDir: string): string[] {
  try {
    return readdirSync(stateDir)
      .filter((name) => /^state\.db\.corrupt-\d+$/.test(name))
      .sort()
      .reverse();
  } catch {
    return [];
  }
}
