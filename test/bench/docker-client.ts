import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';

type Json = Readonly<Record<string, unknown>>;

/** Client of dockerd's API on its unix socket, over one persistent connection: no process starts for a call. */
export class DockerClient implements Disposable {
  readonly #socket: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Resolves after the whole answer was read. Throws on an error status. */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: Json): Promise<Json> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const request = httpRequest({ socketPath: this.#socket, path, method, headers, agent: this.#agent });
    request.end(text);
    const [response] = await once(request, 'response');
    let said = '';
    for await (const piece of response.setEncoding('utf8')) said += piece;
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${said}`);
    return said === '' ? {} : JSON.parse(said);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
