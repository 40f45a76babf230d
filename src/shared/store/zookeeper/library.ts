import type { ACL, Client, Stat as RawStat } from 'node-zookeeper-client';
import type { Endpoint } from './options.ts';

/** The client, which only a process of a cluster with ZooKeeper loads. */
export type Library = typeof import('node-zookeeper-client');

export async function loadLibrary(): Promise<Library> {
  return await import('node-zookeeper-client');
}

/** Operations by their numbers in ZooKeeper's protocol. */
const OP = { create: 1, delete: 2, set: 5, check: 13 } as const;
/** Flags of a node in ZooKeeper's protocol. */
const MODE = { persistent: 0, ephemeral: 1 } as const;

/** One step of a transaction. Version −1: any. */
export type Op =
  | { readonly kind: 'create'; readonly path: string; readonly data: string; readonly isEphemeral?: boolean }
  | { readonly kind: 'set'; readonly path: string; readonly data: string; readonly version: number }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number }
  | { readonly kind: 'check'; readonly path: string; readonly version: number };

export interface Stat {
  /** Counts the changes of the node's data since its creation, from 0. */
  readonly version: number;
  /** Transactions that created it, changed its data, changed its children. */
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly pzxid: bigint;
  readonly children: number;
  /** Id of the session that it goes with, in hex. */
  readonly session?: string;
}

export interface Node {
  readonly data: string;
  readonly stat: Stat;
}

/**
 * The parts of a client that it does not document. Its own reconnection prepends what was left of a message to the next
 * connection's bytes, and an error code that it does not know is thrown in a listener, which would end the process.
 */
export interface Inner {
  servers: readonly Endpoint['address'][];
  readonly socket?: { destroy(): void };
  readonly connectTimeoutHandler?: NodeJS.Timeout;
  connect(): void;
  onSocketData(bytes: Buffer): void;
  onSocketError(error: Error): void;
  onSocketClosed(): void;
}

/** Who may do everything with a node: anybody, or the user that creates it. */
export interface Acls {
  readonly open: readonly ACL[];
  readonly own: readonly ACL[];
}

export function aclsOf({ ACL: Acl, Id, Permission }: Library): Acls {
  const all = (scheme: string, id: string): ACL[] => [new Acl(Permission.ALL, new Id(scheme, id))];
  return { open: all('world', 'anyone'), own: all('auth', '') };
}

export interface SessionKey {
  readonly id: Buffer;
  readonly password: Buffer;
}

/** A client of one server, not connected yet. With `session` it takes that session over. */
export function makeClient(
  library: Library,
  { address }: Endpoint,
  parts: { readonly sessionMs: number; readonly session?: SessionKey | undefined },
): { readonly client: Client; readonly inner: Inner } {
  const { sessionMs: sessionTimeout, session } = parts;
  const own = session === undefined ? {} : { sessionId: session.id, sessionPassword: session.password };
  const client = library.createClient('unused:1', { sessionTimeout, spinDelay: 0, retries: 0, ...own });
  const inner = (client as unknown as { readonly connectionManager: Inner }).connectionManager;
  // The text of a server can name neither an IPv6 address nor a socket.
  inner.servers = [address];
  return { client, inner };
}

/** As the client's transactions take them: its own methods turn version 0 into any. */
export function rawOps(ops: readonly Op[], acls: readonly ACL[]): object[] {
  return ops.map((op) => {
    const { kind, path } = op;
    if (op.kind === 'create') {
      const mode = op.isEphemeral ? MODE.ephemeral : MODE.persistent;
      return { type: OP[kind], path, data: Buffer.from(op.data), acls, mode };
    }
    if (op.kind === 'set') return { type: OP[kind], path, data: Buffer.from(op.data), version: op.version };
    return { type: OP[kind], path, version: op.version };
  });
}

export function statOf({ version, czxid, mzxid, pzxid, ephemeralOwner, numChildren }: RawStat): Stat {
  const [created, changed, below] = [czxid, mzxid, pzxid].map((bytes) => bytes.readBigInt64BE());
  const owner = sessionText(ephemeralOwner);
  return {
    ...{ version, czxid: created ?? 0n, mzxid: changed ?? 0n, pzxid: below ?? 0n, children: numChildren },
    ...(owner !== '0' && { session: owner }),
  };
}

export const sessionText = (id: Buffer): string => id.readBigUInt64BE().toString(16);
