import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type SecureContext } from 'node:tls';
import type { Endpoint } from '../options.ts';

/** What TLS needs to trust a server, and to be trusted. */
export interface Security {
  readonly context: SecureContext;
  /** The name that the server's certificate must have, if it is not the endpoint's. */
  readonly serverName?: string;
}

/** Starts to connect to the endpoint. With TLS, the server's certificate must be of the CA and have the name. */
export function openSocket({ at }: Endpoint, security: Security | undefined): Socket {
  if (security === undefined) return connectTcp(at);
  const name = security.serverName ?? ('path' in at ? 'localhost' : at.host);
  return connectTls({
    ...at,
    secureContext: security.context,
    ALPNProtocols: ['h2'],
    // SNI takes names only.
    ...(isIP(name) === 0 && { servername: name }),
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  });
}

/** What `:authority` says. */
export function authorityOf({ at }: Endpoint): string {
  if ('path' in at) return 'localhost';
  return `${isIP(at.host) === 6 ? `[${at.host}]` : at.host}:${at.port}`;
}

/** The error's own words. Of a name with several addresses there is one error for each. */
export function wordsOf(error: Error): string {
  if (error instanceof AggregateError)
    return error.errors.map((one) => (one instanceof Error ? one.message : one)).join(', ');
  return error.message;
}
