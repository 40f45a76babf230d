import { NetError } from '../../errors/net-error.ts';
import type { Host } from '../../host/host.ts';
import type { Family } from '../../model/addr.ts';
import { Secret } from '../../model/secret.ts';
import { REQID } from './seal.ts';

/** Documentation addresses (RFC 5737, RFC 3849): no packet has them. */
const ENDS = {
  4: { src: '192.0.2.1', dst: '192.0.2.2' },
  6: { src: '2001:db8::1', dst: '2001:db8::2' },
} as const;
const SPI = 0x100;
/** The kernel deletes the association of a process that dies meanwhile. */
const SECONDS = 2;
const OPTIONS = { 4: 'CONFIG_INET_ESP', 6: 'CONFIG_INET6_ESP' } as const;

/**
 * What this kernel lacks to encrypt, as a clause; undefined if it lacks nothing. Tries one association, which it deletes
 * again: nothing else says whether the kernel has ESP, or can load it. Throws NetError `kernel` for a refusal with another
 * reason, such as a missing capability.
 */
export function missingEsp(host: Host, family: Family): string | undefined {
  const state = { ...ENDS[family], spi: SPI, reqid: REQID };
  const namespaces = { host: host.own };
  try {
    const key = new Secret(new Uint8Array(20));
    host.apply([{ op: 'xfrm.state.add', ns: 'host', state: { ...state, key, seconds: SECONDS } }], namespaces);
  } catch (thrown) {
    const kind = thrown instanceof NetError ? thrown.kind : undefined;
    // Another process asks at this moment.
    if (kind === 'exists') return undefined;
    if (kind === 'unsupported') return `this kernel has no ESP (${OPTIONS[family]}) with AES-GCM (CONFIG_CRYPTO_GCM)`;
    throw thrown;
  }
  const [failure] = host.revert([{ op: 'xfrm.state.delete', ns: 'host', state }], namespaces);
  if (failure !== undefined) throw failure;
  return undefined;
}
