import { type Attachment, attachmentDigest, digest } from '../model/attachment.ts';

/** Of what a network's identity consists. */
export interface NetworkIdentity {
  readonly name: string;
  readonly driver: string;
  readonly ipam?: string | undefined;
  /** Options of the driver and of IPAM, and the pools: all that a plugin keeps with the network. */
  readonly options: Readonly<Record<string, string>>;
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly pools: readonly string[];
}

/** 64 hex digits; the same for the same identity, whatever the order of its options. */
export function networkIdOf({ name, driver, ipam = '', options, ipamOptions, pools }: NetworkIdentity): string {
  const sorted = (texts: Readonly<Record<string, string>>): string =>
    JSON.stringify(Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1)));
  return digest('remote-network', name, driver, ipam, sorted(options), sorted(ipamOptions), JSON.stringify(pools));
}

/** 64 hex digits; the same for the same attachment to the same network. */
export function endpointIdOf(networkId: string, attachment: Attachment): string {
  return digest('remote-endpoint', networkId, attachmentDigest(attachment));
}
