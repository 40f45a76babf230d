import { accessSync, constants, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { hasCode } from '../errors/net-error.ts';
import type { HostIdentity } from '../host/host.ts';
import { given } from '../model/given.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { isCantOpen } from './sqlite-errors.ts';
import { assertFile } from './state-dir.ts';

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
  /** Why it cannot be read, and is to be replaced. */
  readonly broken?: string;
  /** Why nothing can be written beside it: then it may be unreadable too, because SQLite has to. */
  readonly unwritable?: string;
  /** Its schema, if that is newer than this program's. */
  readonly newerSchema?: number;
  readonly boots: readonly BootContent[];
  /** Scopes of this host's leases in this boot. */
  readonly scopes: readonly string[];
  /** Broken states that were set aside, as file names, the newest first. */
  readonly aside: readonly string[];
}

const NOTHING = { boots: [], scopes: [] } as const;

export interface InspectOptions {
  /** True: also reads every page, which takes about 2 ms for each MB. Default: false. */
  readonly whole?: boolean;
}

/** Reads `<stateDir>/state.db` as it is: never creates, migrates or replaces it. Never throws. */
export function inspectState(
  stateDir: string,
  identity: HostIdentity,
  { whole = false }: InspectOptions = {},
): StateInspection {
  const path = join(stateDir, 'state.db');
  const aside = asideIn(stateDir);
  let disk: Pick<StateInspection, 'unwritable'> = {};
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return { exists: false, aside, ...NOTHING };
    assertFile(path);
    disk = given({ unwritable: unwritable(stateDir) });
    const sqlite = process.getBuiltinModule('node:sqlite');
    const db = new sqlite.DatabaseSync(path, { readOnly: true, timeout: 1000 });
    try {
      if (whole) assertWhole(db);
      return { exists: true, aside, ...disk, ...contentOf(db, identity) };
    } finally {
      db.close();
    }
  } catch (error) {
    if (disk.unwritable !== undefined && isCantOpen(error)) return { exists: true, aside, ...disk, ...NOTHING };
    const broken = error instanceof Error ? error.message : String(error);
    return { exists: true, broken, aside, ...disk, ...NOTHING };
  }
}

/** Throws what is wrong with the first broken page. */
function assertWhole(db: DatabaseSync): void {
  const answer = db.prepare('PRAGMA quick_check(1)').get()?.quick_check;
  // "*** in database main ***" comes before what is wrong.
  if (answer !== 'ok') throw new Error(String(answer).replace(/^\*\*\*.*\*\*\*\s*/, ''));
}

function contentOf(
  db: DatabaseSync,
  { hostId, bootId }: HostIdentity,
): Omit<StateInspection, 'exists' | 'aside' | 'broken' | 'unwritable'> {
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

/** Why nothing can be written into the directory, although it can be read. */
function unwritable(directory: string): string | undefined {
  try {
    accessSync(directory, constants.W_OK);
    const { bfree, files, ffree } = statfsSync(directory);
    // A file system without a number of files, such as btrfs, has none free either.
    return bfree > 0 && (files === 0 || ffree > 0) ? undefined : 'its disk is full';
  } catch (thrown) {
    return hasCode(thrown, ['EROFS']) ? 'its file system is mounted read-only' : undefined;
  }
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
