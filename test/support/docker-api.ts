import { readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { makeTempDir } from './temp.ts';

type Json = Readonly<Record<string, unknown>>;

/** An answer of dockerd 20.10 to `GET /networks` and the like, as it was recorded in test/fixtures/docker-api. */
export function recorded(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/docker-api', `${name}.json`), 'utf8'));
}

/** Names of the recorded networks that the plugin made; `builtin` and Docker's own three are there besides. */
export const PLUGIN_NETWORKS = ['plain', 'full', 'range', 'own', 'inner'] as const;

/** The recorded description of a network. */
export function recordedNetwork(
  name: string,
): Json & { readonly Id: string; readonly Containers: Record<string, Json> } {
  return recorded(`network-${name}`) as ReturnType<typeof recordedNetwork>;
}

/** Answers on a unix socket as dockerd: the recorded objects, minus those that it should have lost. */
export interface RecordedDocker extends AsyncDisposable {
  readonly socket: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Ids and EndpointIDs that are known no more. */
  readonly forgotten: Set<string>;
  /** Overrides answers by path, without their version; undefined gives the usual answer. */
  instead: (path: string, response: ServerResponse) => unknown;
  /** Closes the socket. */
  close(): Promise<void>;
}

/** Ended by the server with `status`, and nothing more is said. */
export function answer(response: ServerResponse, status: number, body: string): true {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
  return true;
}

export async function startRecordedDocker(): Promise<RecordedDocker> {
  const dir = makeTempDir();
  const socket = join(dir.path, 'docker.sock');
  const forgotten = new Set<string>();
  const asked: string[] = [];
  const docker: RecordedDocker = {
    ...{ socket, asked, forgotten },
    instead: () => undefined,
    close: () => closed(server),
    [Symbol.asyncDispose]: async () => {
      await closed(server);
      dir[Symbol.dispose]();
    },
  };
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    asked.push(url);
    const path = url.replace(/^\/v[\d.]+/, '');
    if (docker.instead(path, response) !== undefined) return;
    const found = say(path, forgotten);
    answer(response, found === undefined ? 404 : 200, JSON.stringify(found ?? recorded('absent')));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return docker;
}

function say(path: string, forgotten: ReadonlySet<string>): unknown {
  if (path === '/version' || path === '/containers/json') return recorded(path.split('/')[1] ?? '');
  if (path === '/networks') return (recorded('networks') as Json[]).filter(({ Id }) => !forgotten.has(String(Id)));
  const name = ['builtin', ...PLUGIN_NETWORKS].find((one) => path === `/networks/${recordedNetwork(one).Id}`);
  if (name === undefined || forgotten.has(recordedNetwork(name).Id)) return undefined;
  const network = recordedNetwork(name);
  const left = Object.entries(network.Containers).filter(([, { EndpointID }]) => !forgotten.has(String(EndpointID)));
  return { ...network, Containers: Object.fromEntries(left) };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
