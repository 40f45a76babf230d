import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRawAsset, isSea } from 'node:sea';
import { brotliDecompressSync } from 'node:zlib';
import { fault } from '../../../src/shared/errors/fault.ts';
import { openState, type StateOptions } from '../cli/state.ts';
import { writeOut } from '../cli/stdout.ts';
import { reportTopology } from './describe.ts';
import { Feed } from './feed.ts';
import type { Listen } from './report.ts';

interface ServeOptions extends StateOptions {
  readonly listen: Listen;
}

interface Site {
  readonly page: Buffer;
  readonly policy: string;
  readonly feed: Feed;
  /** Host names by which a browser may call it; absent: any, with the token. */
  readonly names: readonly string[] | undefined;
  readonly token: string | undefined;
}

/** Serves the page until a signal ends it. It only reads. */
export async function servePage(options: ServeOptions): Promise<void> {
  const page = pageText();
  await using core = openState(options);
  using feed = new Feed({ report: async () => await reportTopology(core) });
  const { host } = options.listen;
  const isLocal = /^(127\.|::1$|localhost$)/.test(host);
  const token = isLocal ? undefined : randomBytes(18).toString('base64url');
  const names = isLocal ? [host, 'localhost', '127.0.0.1', '::1'] : undefined;
  const site: Site = { page, policy: policyOf(page), feed, names, token };
  const server = createServer((request, response) => answer(site, request, response));
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  await listen(server, options.listen);
  const { port } = server.address() as AddressInfo;
  const named = host.includes(':') ? `[${host}]` : host;
  writeOut(`http://${named}:${port}/${token === undefined ? '' : `?token=${token}`}\n`);
  await ended;
  server.close();
  server.closeAllConnections();
}

async function listen(server: Server, { host, port }: Listen): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve).once('error', (cause: NodeJS.ErrnoException) => {
      const what = cause.code === 'EADDRINUSE' ? 'another process listens on it' : cause.message;
      reject(fault.io('topology', `--listen ${host}:${port}`, what, 'Give another address or port', { cause }));
    });
    server.listen(port, host);
  });
}

function answer(site: Site, request: IncomingMessage, response: ServerResponse): void {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  const refusal: Refusal | undefined =
    url?.host !== 'localhost' ? [400, 'malformed path'] : refusalOf(site, request, url);
  if (refusal !== undefined) {
    const [status, why] = refusal;
    response.writeHead(status, { 'content-type': 'text/plain', ...COMMON }).end(`${why}\n`);
  } else if (url?.pathname === '/') {
    const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': site.policy, ...COMMON };
    response.writeHead(200, headers).end(site.page);
  } else {
    response.writeHead(200, { 'content-type': 'text/event-stream', ...COMMON });
    site.feed.add(response);
  }
}

type Refusal = readonly [status: number, why: string];

function refusalOf(site: Site, { method, headers }: IncomingMessage, url: URL): Refusal | undefined {
  if (method !== 'GET') return [405, 'only GET'];
  if (!isCalledByName(site, headers.host)) return [403, 'unknown host name'];
  if (!hasToken(site, url.searchParams.get('token'))) return [403, 'the token is missing or wrong'];
  return ['/', '/events'].includes(url.pathname) ? undefined : [404, 'not found'];
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

/** Keeps out pages of other sites whose name someone has made to mean this address (DNS rebinding). */
function isCalledByName({ names }: Site, host = ''): boolean {
  if (names === undefined) return true;
  return names.includes(host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
}

function hasToken({ token }: Site, given: string | null): boolean {
  if (token === undefined) return true;
  const [expected, found] = [Buffer.from(token), Buffer.from(given ?? '')];
  return expected.length === found.length && timingSafeEqual(expected, found);
}

/** Allows the page's own script and style by their hashes, and nothing from elsewhere. */
function policyOf(page: Buffer): string {
  const hashes = (tag: string): string =>
    [...page.toString().matchAll(new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))]
      .map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
      .join(' ');
  const own = ["default-src 'none'", `script-src ${hashes('script')}`, `style-src ${hashes('style')}`];
  return [
    ...own,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** build/topology-page.ts puts it into the executable. Throws NetError `unsupported` elsewhere. */
function pageText(): Buffer {
  if (isSea()) return brotliDecompressSync(new Uint8Array(getRawAsset('topology')));
  const hint = 'Run: npm run build && dist/cnm-shim topology --web';
  throw fault.unsupported('topology', '--web', 'only the built executable contains the page', hint);
}
