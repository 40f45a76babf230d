import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { fault } from '../../../../src/shared/errors/fault.ts';
import { asNetError, NetError } from '../../../../src/shared/errors/net-error.ts';
import { field, parseJson } from '../../../../src/shared/model/json.ts';
import {
  type ContainerEndpoint,
  type DockerEndpoint,
  type DockerNetwork,
  decodeContainerNames,
  decodeContainers,
  decodeEndpoints,
  decodeEngine,
  decodeNetworks,
  type Engine,
} from './api-answers.ts';

export interface DockerApiOptions {
  /** Where dockerd listens. */
  readonly socket: string;
  /** Connect only while a process with this name runs, since a connection may start one (socket activation). */
  readonly process?: string;
  /** Milliseconds that an answer may take. */
  readonly timeout?: number;
}

const SOCKET = '/run/docker.sock';
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 << 20;
/** API version of the requests (Docker 20.10), unless the engine is older or supports only newer ones. */
const API = '1.41';

/**
 * A client of dockerd's API. Every method resolves to undefined if no dockerd listens, and rejects with NetError `io`
 * or `decode` if the answer is unusable. dockerd may hold a lock while it waits for our answer, so never call this in a
 * handler, or while holding a lock that a handler needs.
 */
export class DockerApi {
  readonly socket: string;
  readonly #process: string | undefined;
  readonly #timeout: number;
  #prefix: string | undefined;

  constructor({ socket, process, timeout = TIMEOUT_MS }: DockerApiOptions) {
    this.socket = socket;
    this.#process = process;
    this.#timeout = timeout;
  }

  /** False if connecting could start a dockerd that is not running, because systemd listens for it. */
  async isRunning(): Promise<boolean> {
    return this.#process === undefined || (await isProcessRunning(this.#process));
  }

  async engine(signal?: AbortSignal): Promise<Engine | undefined> {
    const answer = await this.#ask('/version', signal);
    return answer === undefined ? undefined : decodeEngine(present(answer, '/version'));
  }

  /** All networks, without their endpoints. */
  async networks(signal?: AbortSignal): Promise<DockerNetwork[] | undefined> {
    const answer = await this.#get('/networks', signal);
    return answer === undefined ? undefined : decodeNetworks(present(answer, '/networks'));
  }

  /** Endpoints of a network; `unknown` if the network does not exist or the answer omits them. */
  async endpoints(networkId: string, signal?: AbortSignal): Promise<DockerEndpoint[] | 'unknown' | undefined> {
    const answer = await this.#get(`/networks/${encodeURIComponent(networkId)}`, signal);
    if (answer === undefined) return undefined;
    return (answer.status === 404 ? undefined : decodeEndpoints(answer.body)) ?? 'unknown';
  }

  /** True if dockerd has the network now. */
  async has(networkId: string, signal?: AbortSignal): Promise<boolean | undefined> {
    const answer = await this.#get(`/networks/${encodeURIComponent(networkId)}`, signal);
    return answer && answer.status !== 404;
  }

  /** Running containers, one entry for each of their networks. */
  async containers(signal?: AbortSignal): Promise<ContainerEndpoint[] | undefined> {
    const answer = await this.#get('/containers/json', signal);
    return answer === undefined ? undefined : decodeContainers(present(answer, '/containers/json'));
  }

  /** Names of all containers, running or not. */
  async allContainers(signal?: AbortSignal): Promise<{ readonly id: string; readonly name: string }[] | undefined> {
    const path = '/containers/json?all=1';
    const answer = await this.#get(path, signal);
    return answer === undefined ? undefined : decodeContainerNames(present(answer, path));
  }

  async #get(path: string, signal?: AbortSignal): Promise<Answer | undefined> {
    if (this.#prefix === undefined) {
      const engine = await this.engine(signal);
      if (engine === undefined) return undefined;
      this.#prefix = `/v${apiVersion(engine)}`;
    }
    const prefix = this.#prefix;
    // The next dockerd at this socket may be another one.
    this.#prefix = undefined;
    const answer = await this.#ask(`${prefix}${path}`, signal);
    if (answer !== undefined) this.#prefix = prefix;
    return answer;
  }

  async #ask(path: string, signal?: AbortSignal): Promise<Answer | undefined> {
    const limit = AbortSignal.timeout(this.#timeout);
    try {
      const answer = await get(this.socket, path, signal === undefined ? limit : AbortSignal.any([signal, limit]));
      if (answer.status === 200 || answer.status === 404) return answer;
      throw failure(path, `it answers ${answer.status}: ${messageOf(answer.body)}`);
    } catch (thrown) {
      if (isErrno(thrown) && ABSENT.has(thrown.code ?? '')) return undefined;
      if (thrown instanceof NetError) throw thrown;
      const late = limit.aborted ? `no answer within ${this.#timeout / 1000} s` : undefined;
      throw failure(path, late ?? asNetError(thrown, 'docker').what, thrown);
    }
  }
}

/**
 * The dockerd of this host: ISTHMUS_DOCKER_HOST, `unix://` and a path, or /run/docker.sock. Undefined for `none`.
 * Throws NetError `bad-environment` for anything else.
 */
export function dockerApiOf(
  env: Readonly<Record<string, string | undefined>>,
  timeout = TIMEOUT_MS,
): DockerApi | undefined {
  const { ISTHMUS_DOCKER_HOST: host = '' } = env;
  if (host === '') return new DockerApi({ socket: SOCKET, process: 'dockerd', timeout });
  if (host === 'none') return undefined;
  const socket = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (socket !== undefined) return new DockerApi({ socket, timeout });
  throw fault.badEnvironment(
    'docker',
    `ISTHMUS_DOCKER_HOST=${host}`,
    'it is not a socket of this host',
    `Give "unix://" and a path, as in unix://${SOCKET}, or "none"`,
  );
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Nobody listens: no socket file, or one that no process serves. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED']);

/**
 * Opens a connection for each request: requests are rare, and a kept connection would stay with a dockerd that has
 * ended.
 */
function get(socketPath: string, path: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { request } = process.getBuiltinModule('node:http');
    const asked = request({ socketPath, path, signal, agent: false, headers: { Host: 'docker' } }, (response) => {
      readAnswer(response).then(resolve, reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES >> 20} MiB`);
    chunks.push(chunk);
  }
  const status = response.statusCode ?? 0;
  const text = Buffer.concat(chunks).toString();
  if (status !== 200) return { status, body: parsed(text) ?? text };
  return { status, body: parseJson(text) };
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** Turns 404 into an error for a resource that always exists. */
function present({ status, body }: Answer, path: string): unknown {
  if (status !== 404) return body;
  throw failure(path, `it answers 404: ${messageOf(body)}`);
}

function messageOf(body: unknown): string {
  return String(field(body, 'message') ?? body).slice(0, 200);
}

/** Picks the API version: the engine's own if it is older than ours, its minimum if that is newer. */
function apiVersion({ api, minApi }: Engine): string {
  if (isOlder(api, API)) return api;
  return isOlder(API, minApi) ? minApi : API;
}

function isOlder(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

function failure(path: string, what: string, cause?: unknown): NetError {
  return fault.io('docker', `GET ${path}`, what, undefined, { cause });
}

function isErrno(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'code' in thrown;
}

/** True if a process with this name (`comm`) exists, according to `proc`. */
export async function isProcessRunning(name: string, proc = '/proc'): Promise<boolean> {
  const { readdir } = process.getBuiltinModule('node:fs/promises');
  for (const pid of await readdir(proc)) if (/^\d+$/.test(pid) && (await commOf(join(proc, pid))) === name) return true;
  return false;
}

/** Undefined if the process has ended meanwhile. */
async function commOf(dir: string): Promise<string | undefined> {
  try {
    const { readFile } = process.getBuiltinModule('node:fs/promises');
    return (await readFile(join(dir, 'comm'), 'utf8')).trimEnd();
  } catch {
    return undefined;
  }
}
