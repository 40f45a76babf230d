import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

/** A proxy between two sockets in the file system, which a test can cut. */
export interface ByteProxy extends AsyncDisposable {
  readonly path: string;
  readonly connections: number;
  /** All connections end once `bytes` more have gone to the client, in the middle of whatever that is. */
  cutAfter(bytes: number): void;
  /** Nothing goes through any more, and connections stay. */
  mute(): void;
}

/** Without `target`, accepts connections and never answers. */
export async function startProxy(path: string, target?: string): Promise<ByteProxy> {
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  let isMute = target === undefined;
  let connections = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    connections++;
    keep(client);
    if (target === undefined) return void client.resume();
    const member = connect(target);
    keep(member);
    client.on('data', (bytes) => isMute || member.write(bytes)).on('close', () => member.destroy());
    member.on('close', () => client.destroy());
    member.on('data', (bytes: Buffer) => {
      if (isMute) return;
      left -= bytes.length;
      if (left >= 0) return void client.write(bytes);
      client.write(bytes.subarray(0, left), () => {
        left = Number.POSITIVE_INFINITY;
        for (const socket of sockets) socket.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    get connections() {
      return connections;
    },
    cutAfter(bytes) {
      left = bytes;
    },
    mute() {
      isMute = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
    },
  };
}
