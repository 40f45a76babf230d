import { fault } from '../../errors/fault.ts';

export interface ZooKeeperOptions {
  /** `10.0.0.1:2181`, `zookeeper://zk.example:2181`, `[fd00::1]:2181`; `unix:///run/zk.sock`, where a tunnel listens. */
  readonly endpoints: readonly string[];
  /** The cluster's directory in ZooKeeper, with a slash at its end: `/isthmus/prod/v1/`. */
  readonly root: string;
  readonly user?: ZooKeeperUser;
}

/** Of ZooKeeper's scheme `digest`. What this user creates, nobody else reads or writes. */
export interface ZooKeeperUser {
  readonly name: string;
  readonly password: string;
}

export interface Endpoint {
  /** As configured. */
  readonly text: string;
  /** As `net.connect` takes it. */
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
}

/** Throws `invalid-config` unless the text is an endpoint without TLS. */
export function parseEndpoint(text: string): Endpoint {
  const [, scheme = 'zookeeper', rest = ''] = /^(?:([a-z]+):\/\/)?([^?#@\s]+)$/.exec(text) ?? [];
  if (/^(https|ssl|tls|unixs|zookeepers)$/.test(scheme)) throw noTls(text);
  if (scheme === 'unix' && rest.startsWith('/')) return { text, address: { path: rest } };
  const [, host = '', port = ''] = /^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})\/?$/i.exec(rest) ?? [];
  if (scheme !== 'zookeeper' || host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw fault.invalidConfig('zookeeper', `endpoint ${text}`, 'not an endpoint', 'Write HOST:2181');
  return { text, address: { host: host.replace(/^\[|\]$/g, ''), port: Number(port) } };
}

/** The client does not speak TLS. */
function noTls(text: string): Error {
  const hint = 'Run a tunnel on each host and write unix:///PATH of its socket, or use etcd';
  return fault.invalidConfig('zookeeper', `endpoint ${text}`, 'TLS is not possible with ZooKeeper', hint);
}
