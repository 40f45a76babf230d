/** Contents of the files that TLSConfig names. */
export interface TlsOptions {
  /** Certificates to trust, PEM; absent: those that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name in the server's certificate; absent: the host of the address. */
  readonly serverName?: string;
  /** Any certificate will do. */
  readonly insecure: boolean;
}

/** Where a plugin listens. */
export type Place =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsOptions };

export function formatPlace(place: Place): string {
  if (place.kind === 'unix') return `unix://${place.path}`;
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return `${place.tls === undefined ? 'tcp' : 'https'}://${host}:${place.port}`;
}

/** Undefined if moby has no such address, or the part that it needs is missing. Its path counts for `unix` only. */
export function parsePlace(text: string): { readonly place: Place; readonly secure: boolean } | undefined {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(\S*)$/.exec(text) ?? [];
  if (scheme === 'unix')
    return rest.startsWith('/') ? { place: { kind: 'unix', path: rest }, secure: false } : undefined;
  if (scheme !== 'tcp' && scheme !== 'http' && scheme !== 'https') return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?(?:\/.*)?$/.exec(rest) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits ?? { tcp: 0, http: 80, https: 443 }[scheme]);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { place: { kind: 'tcp', host, port }, secure: scheme === 'https' };
}
