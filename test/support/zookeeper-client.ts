import { once } from 'node:events';
import zookeeper, { type Client } from 'node-zookeeper-client';
import type { ZooKeeperMember } from './zookeeper.ts';

/** A plain client of one member, for what no store does. `dispose` ends its session. */
export interface ZooKeeperClient extends AsyncDisposable {
  readonly client: Client;
  /** Names of the node's children. */
  children(path: string): Promise<string[]>;
  /** The node's data, or undefined. */
  data(path: string): Promise<string | undefined>;
  set(path: string, data: string): Promise<void>;
  /** Deletes the node's children. */
  deleteBelow(path: string): Promise<void>;
  /** Deletes the node with everything below it. */
  deleteAll(path: string): Promise<void>;
}

export async function createZooKeeperClient(member: Pick<ZooKeeperMember, 'endpoint'>): Promise<ZooKeeperClient> {
  const client = clientOf(member);
  client.connect();
  await once(client, 'connected');
  /** The result of a call; undefined for a node that is not there. */
  const ask = <T>(call: (done: (error: unknown, result?: T) => void) => void): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      call((error, result) => {
        const isMissing = error instanceof Error && 'name' in error && error.name === 'NO_NODE';
        if (error && !isMissing) reject(error);
        else resolve(result);
      });
    });
  const children = async (path: string): Promise<string[]> =>
    (await ask<string[]>((done) => client.getChildren(path, done))) ?? [];
  const deleteAll = async (path: string): Promise<void> => {
    for (const name of await children(path)) await deleteAll(`${path}/${name}`);
    // Somebody may make another child meanwhile.
    await ask((done) => client.remove(path, done)).catch(() => {});
  };
  return {
    client,
    children,
    async data(path) {
      return (await ask<Buffer>((done) => client.getData(path, done)))?.toString();
    },
    async set(path, data) {
      await ask<object>((done) => client.setData(path, Buffer.from(data), done));
    },
    async deleteBelow(path) {
      for (const name of await children(path)) await ask((done) => client.remove(`${path}/${name}`, done));
    },
    deleteAll,
    async [Symbol.asyncDispose]() {
      const ended = once(client, 'disconnected');
      client.close();
      await ended;
    },
  };
}

/** The server ends the session (hex). Whoever has it may take it back meanwhile: then once more. */
export async function endSession(member: Pick<ZooKeeperMember, 'endpoint'>, session: string): Promise<void> {
  for (let isOver = false; !isOver; ) {
    const own = { sessionId: idOf(session), sessionPassword: passwordOf(session) };
    const client = clientOf(member, own);
    const expired = once(client, 'expired').then(() => true);
    client.connect();
    isOver = await Promise.race([expired, once(client, 'connected').then(() => false)]);
    client.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function clientOf({ endpoint }: Pick<ZooKeeperMember, 'endpoint'>, more: object = {}): Client {
  const client = zookeeper.createClient('unused:1', { sessionTimeout: 5_000, ...more });
  const inner = (client as unknown as { connectionManager: { servers: object[] } }).connectionManager;
  inner.servers = [{ path: endpoint.replace('unix://', '') }];
  return client;
}

const idOf = (session: string): Buffer => Buffer.from(session.padStart(16, '0'), 'hex');

/** As ZooKeeper makes it (SessionTrackerImpl, ZooKeeperServer.generatePasswd): java.util.Random of the session's id. */
function passwordOf(session: string): Buffer {
  const mask = (1n << 48n) - 1n;
  const step = 0x5deece66dn;
  let state = (BigInt(`0x${session}`) ^ 0xb3415c00n ^ step) & mask;
  const password = Buffer.alloc(16);
  for (let at = 0; at < 16; at += 4) {
    state = (state * step + 0xbn) & mask;
    password.writeInt32LE(Number(BigInt.asIntN(32, state >> 16n)), at);
  }
  return password;
}
