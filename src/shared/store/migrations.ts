import type { DatabaseSync } from 'node:sqlite';
import { migrateSentinels, migrateToFacts } from './migrate-facts.ts';

/** SQL, or a function for what SQL cannot express. */
export type Migration = string | ((db: DatabaseSync) => void);

/**
 * The schema as migrations: step n turns version n into version n + 1 (`PRAGMA user_version`). Never change a released
 * step; add a new one. `host` is HostIdentity.hostId. `boots` numbers (host, boot id) pairs. Rows that belong to a boot
 * refer to that number, which is never reused, so rows of an earlier boot cannot appear. taken.ts encodes
 * addresses. `runs` holds the maximal intervals of leased addresses and changes in the same transaction as `leases`.
 */
export const MIGRATIONS: readonly Migration[] = [
  `
  CREATE TABLE boots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    UNIQUE (host, boot)
  ) STRICT;

  CREATE TABLE networks (
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (host, name)
  ) STRICT;

  CREATE TABLE endpoints (
    boot INTEGER NOT NULL,
    network TEXT NOT NULL,
    camp TEXT NOT NULL,
    container TEXT NOT NULL,
    interface TEXT NOT NULL,
    role TEXT NOT NULL,
    host_if TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (boot, network, camp, container, interface, role),
    UNIQUE (boot, host_if)
  ) STRICT;

  CREATE TABLE leases (
    boot INTEGER NOT NULL,
    scope TEXT NOT NULL,
    address TEXT NOT NULL,
    camp TEXT NOT NULL,
    network TEXT NOT NULL,
    container TEXT NOT NULL,
    interface TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (boot, scope, address)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX leases_by_owner ON leases (boot, scope, container, interface, network, camp);

  CREATE TABLE runs (
    boot INTEGER NOT NULL,
    scope TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    length INTEGER NOT NULL CHECK (length > 0),
    PRIMARY KEY (boot, scope, first)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE notes (
    host TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (host, key)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE ports (
    boot INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    port INTEGER NOT NULL,
    address TEXT NOT NULL,
    camp TEXT NOT NULL,
    network TEXT NOT NULL,
    container TEXT NOT NULL,
    interface TEXT NOT NULL,
    PRIMARY KEY (boot, protocol, port, address, camp, container, network, interface)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX ports_by_owner ON ports (boot, container, interface, network, camp);
  `,
  `
  CREATE TABLE docker_networks (
    host TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (host, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE pools (
    host TEXT NOT NULL,
    id TEXT NOT NULL,
    scope TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (host, id)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX pools_by_scope ON pools (host, scope);
  `,
  // `family` is '4', '6' or 'both'. The default serves a process of an earlier version that has the file open. A
  // wildcard of schema 3 may be of either family, so it counts as both.
  `
  ALTER TABLE ports RENAME TO ports_3;

  DROP INDEX ports_by_owner;

  CREATE TABLE ports (
    boot INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    port INTEGER NOT NULL,
    family TEXT NOT NULL DEFAULT 'both' CHECK (family IN ('4', '6', 'both')),
    address TEXT NOT NULL,
    camp TEXT NOT NULL,
    network TEXT NOT NULL,
    container TEXT NOT NULL,
    interface TEXT NOT NULL,
    PRIMARY KEY (boot, protocol, port, family, address, camp, container, network, interface)
  ) STRICT, WITHOUT ROWID;

  INSERT INTO ports SELECT boot, protocol, port,
    CASE WHEN address = '' THEN 'both' WHEN instr(address, ':') > 0 THEN '6' ELSE '4' END,
    address, camp, network, container, interface FROM ports_3;

  DROP TABLE ports_3;

  CREATE INDEX ports_by_owner ON ports (boot, container, interface, network, camp);

  UPDATE endpoints SET body = json_remove(body, '$.owner') WHERE json_valid(body);
  `,
  migrateToFacts,
  // A span of ports is one row, from `port` to `last`; 0: one port.
  `
  ALTER TABLE ports ADD COLUMN last INTEGER NOT NULL DEFAULT 0;

  CREATE INDEX port_spans ON ports (boot, protocol, port) WHERE last > 0;
  `,
  migrateSentinels,
  // What this host put into the store of its cluster.
  `
  CREATE TABLE cluster_keys (
    host TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'held', 'released')),
    value TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (host, key)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX cluster_outbox ON cluster_keys (host, key) WHERE state <> 'held';
  `,
  // What an ADD looks for: other networks on its bridge, other endpoints of its container, who has a device or a MAC. A
  // broken body has nothing of it.
  `
  CREATE INDEX networks_by_device ON networks (host, CASE WHEN json_valid(body) THEN body ->> '$.device' END);

  CREATE INDEX endpoints_by_container ON endpoints (boot, camp, container);

  CREATE INDEX endpoints_with_device ON endpoints (boot)
    WHERE CASE WHEN json_valid(body) THEN body ->> '$.link.link.kind' END IN ('moved', 'userspace');

  CREATE INDEX endpoints_by_mac ON endpoints (boot,
    CASE WHEN json_valid(body) THEN coalesce(body ->> '$.link.mac', body ->> '$.lone.mac') END)
    WHERE host_if IS NULL;
  `,
];

/** The schema version that this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;
