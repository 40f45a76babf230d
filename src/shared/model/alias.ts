import { type Addr, formatAddr, parseAddr } from './addr.ts';
import { type Attachment, type AttachmentKey, attachmentDigest } from './attachment.ts';
import { given } from './given.ts';

/** IFALIASZ - 1, linux/if.h. */
const MAX_ALIAS = 255;
const MARK = 'isthmus';

/** The content of a host-side interface's alias: enough to rebuild a lost record, readable in `ip link`. */
export interface AliasRecord {
  readonly attachment: Attachment;
  readonly scope?: string;
  /** Leased by the built-in IPAM. */
  readonly addresses: readonly Addr[];
}

/**
 * `isthmus cni net=<network> if=<name> ip=<address>,… id=<container> [scope=<path>]`. The scope is a URI, so that it
 * has no blanks, and is only there if it is not the default. If the text is too long for the kernel, omits the
 * container id. With a scope, omits addresses and scope first: addresses without their scope would be leased in the
 * wrong one.
 */
export function formatAlias({ attachment, scope, addresses }: AliasRecord): string {
  const { camp, network, ifName, containerId } = attachment;
  const usual = scope === undefined || scope === usualScope(network);
  const head = [MARK, camp, `net=${network}`, `if=${ifName}`];
  const leases = addresses.length > 0 ? [`ip=${addresses.map(formatAddr).join(',')}`] : [];
  const id = `id=${containerId}`;
  const whole = usual ? [...head, ...leases, id] : [...head, ...leases, id, `scope=${encodeURI(scope)}`];
  const forms = [whole, usual ? [...head, ...leases] : [...head, id], head].map((words) => words.join(' '));
  return forms.find((text) => Buffer.byteLength(text) <= MAX_ALIAS) ?? MARK;
}

/** `isthmus <driver> net=<network>`: the alias of a device that we created for a network. */
export function formatDeviceAlias(driver: string, network: string): string {
  return `${MARK} ${driver} net=${network}`;
}

/** The inverse of formatDeviceAlias; undefined for any other text. */
export function parseDeviceAlias(text: string | undefined): { driver: string; network: string } | undefined {
  const [, driver, network] = /^isthmus (bridge|overlay|macvlan|ipvlan) net=(\S+)$/.exec(text ?? '') ?? [];
  return driver === undefined || network === undefined ? undefined : { driver, network };
}

/** A device of the host that an attachment has, by its alias. */
export interface MovedDevice {
  /** Its name on the host. */
  readonly dev: string;
  /** Of its attachment. */
  readonly key: AttachmentKey;
}

/**
 * `isthmus moved dev=<name on the host> net=<network> if=<name> id=<container>`; if that is too long for the kernel, a
 * digest of the attachment. No other reader of aliases takes such a device for an interface that we made.
 */
export function formatMovedAlias(dev: string, attachment: Attachment): string {
  const { network, ifName, containerId } = attachment;
  const head = `${MARK} moved dev=${dev}`;
  const whole = `${head} net=${network} if=${ifName} id=${containerId}`;
  return Buffer.byteLength(whole) <= MAX_ALIAS ? whole : `${head} key=${attachmentDigest(attachment)}`;
}

/** The inverse of formatMovedAlias; undefined for any other text. */
export function parseMovedAlias(text: string | undefined): MovedDevice | undefined {
  const [, dev, rest = ''] = /^isthmus moved dev=(\S+) (.+)$/.exec(text ?? '') ?? [];
  if (dev === undefined) return undefined;
  const [, digest] = /^key=([0-9a-f]{64})$/.exec(rest) ?? [];
  if (digest !== undefined) return { dev, key: digest as AttachmentKey };
  const [, network, ifName, containerId] = /^net=(\S+) if=(\S+) id=(\S+)$/.exec(rest) ?? [];
  if (network === undefined || ifName === undefined || containerId === undefined) return undefined;
  return { dev, key: attachmentDigest({ camp: 'cni', network, ifName, containerId }) };
}

/** The stand-in for an attachment whose id had no room in the alias. Its interface name identifies it. */
export function standIn(attachment: Attachment, hostIf: string): Attachment {
  return { ...attachment, containerId: `#${hostIf}` };
}

/** The inverse of formatAlias; undefined for any other text. An omitted id becomes the empty string. */
export function parseAlias(text: string | undefined): AliasRecord | undefined {
  const [mark, camp, ...words] = (text ?? '').split(' ');
  if (mark !== MARK || (camp !== 'cni' && camp !== 'cnm')) return undefined;
  const values = new Map(words.map((word): [string, string] => [word.split('=', 1)[0] ?? '', after(word)]));
  const network = values.get('net');
  const ifName = values.get('if');
  if (network === undefined || ifName === undefined) return undefined;
  const scope = decoded(values.get('scope')) ?? (values.has('ip') ? usualScope(network) : undefined);
  return {
    attachment: { camp, network, ifName, containerId: values.get('id') ?? '' },
    ...given({ scope }),
    addresses: (values.get('ip') ?? '').split(',').flatMap((word) => parseAddr(word) ?? []),
  };
}

/** Default scope: that of a network whose configuration has no dataDir. */
function usualScope(network: string): string {
  return `/var/lib/cni/networks/${network}`;
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURI(text);
  } catch {
    return text;
  }
}

function after(word: string): string {
  return word.slice(word.indexOf('=') + 1);
}
