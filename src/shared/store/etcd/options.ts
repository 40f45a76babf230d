import { fault } from '../../errors/fault.ts';
import type { Moment } from '../cluster/cluster-store.ts';

export interface EtcdOptions {
  /** `https://10.0.0.1:2379`, `http://etcd.example:2379`, `unix:///run/etcd.sock`; with `unixs:` TLS over a socket. */
  readonly endpoints: readonly string[];
  /** The cluster's directory in etcd, with a slash at its end: `/isthmus/prod/v1/`. */
  readonly root: string;
  readonly tls?: EtcdTls;
  readonly user?: EtcdUser;
  /** When an earlier process saw the store. In an earlier state of that epoch it was restored from a copy. */
  readonly seen?: Moment;
}

/** Contents of PEM files. */
export interface EtcdTls {
  /** Without it: the CAs that Node trusts. */
  readonly ca?: Buffer;
  readonly client?: { readonly certificate: Buffer; readonly key: Buffer };
  /** The name that the members' certificates must have, if it is not the endpoints'. */
  readonly serverName?: string;
}

export interface EtcdUser {
  readonly name: string;
  readonly password: string;
}

export interface Endpoint {
  /** As configured, without credentials. */
  readonly text: string;
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly tls: boolean;
}

/** Throws `invalid-config` unless the text is an endpoint that etcd's own clients take. */
export function parseEndpoint(text: string): Endpoint {
  const [, scheme = 'http', rest = ''] = /^(?:(https?|unixs?):\/\/)?([^?#@\s]+)$/.exec(text) ?? [];
  const tls = scheme === 'https' || scheme === 'unixs';
  if (scheme.startsWith('unix') && rest !== '') return { text, at: { path: rest }, tls };
  const [, ipv6, host = ipv6, port] = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})\/?$/i.exec(rest) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw fault.invalidConfig('etcd', `endpoint ${text}`, 'not an endpoint', 'Write https://HOST:2379');
  return { text, at: { host, port: Number(port) }, tls };
}
