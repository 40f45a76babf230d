import { isIPv4 } from 'node:net';

/** An address of this host that no other host reaches. */
export interface LoopbackPort {
  readonly host: string;
  readonly port: number;
}

/** Parses `127.0.0.1:9464` or `[::1]:9464`; undefined for anything else, also for a name. */
export function parseLoopbackPort(text: string): LoopbackPort | undefined {
  const [, v6, v4, digits = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  const port = Number(digits);
  const isLoopback = v6 === undefined ? isIPv4(host) && host.startsWith('127.') : host === '::1';
  return isLoopback && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

export function formatLoopbackPort({ host, port }: LoopbackPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
