import { createSecureContext } from 'node:tls';
import { fault } from '../../errors/fault.ts';
import { Channel } from './grpc/channel.ts';
import type { Security } from './grpc/socket.ts';
import { type EtcdOptions, type EtcdTls, parseEndpoint } from './options.ts';

/** A member of the etcd cluster, and the way to it. */
export interface Member {
  readonly endpoint: string;
  readonly channel: Channel;
}

/** The configured members. All calls go to the same one until it fails. */
export class Members implements Disposable {
  readonly #members: readonly Member[];
  #at: number;

  /** Throws `invalid-config` for an endpoint, a certificate or a key that cannot be read. */
  constructor({ endpoints, tls }: EtcdOptions) {
    const parsed = endpoints.map(parseEndpoint);
    const security = parsed.some((endpoint) => endpoint.tls) ? securityOf(tls) : undefined;
    this.#members = parsed.map((endpoint) => {
      return { endpoint: endpoint.text, channel: new Channel(endpoint, endpoint.tls ? security : undefined) };
    });
    // The hosts of a cluster have the same list: they spread over its members.
    this.#at = Math.floor(Math.random() * endpoints.length);
  }

  get size(): number {
    return this.#members.length;
  }

  get current(): Member {
    const member = this.#members[this.#at];
    if (member === undefined) throw new RangeError('etcd: no endpoints');
    return member;
  }

  /** Later calls go to the next member, unless another failure has moved them already. */
  avoid(member: Member): void {
    if (member === this.current) this.#at = (this.#at + 1) % this.#members.length;
  }

  [Symbol.dispose](): void {
    for (const { channel } of this.#members) channel[Symbol.dispose]();
  }
}

function securityOf({ ca, client, serverName }: EtcdTls = {}): Security {
  try {
    const context = createSecureContext({
      ...(ca && { ca }),
      ...(client && { cert: client.certificate, key: client.key }),
    });
    return { context, ...(serverName !== undefined && { serverName }) };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw fault.invalidConfig('etcd', 'tls', what, 'Check the PEM files of CA, client certificate and key');
  }
}
