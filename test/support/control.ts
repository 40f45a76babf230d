import { once } from 'node:events';
import { request } from 'node:http';

export interface ControlAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** One request to the socket at `path`, on a connection of its own. */
export async function controlRequest(path: string, url: string, method = 'GET'): Promise<ControlAnswer> {
  const asked = request({ socketPath: path, path: url, method, agent: false });
  asked.end();
  const [response] = await once(asked, 'response');
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece;
  return { status: response.statusCode, type: response.headers['content-type'] ?? '', text };
}
