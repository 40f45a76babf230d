import { formatSpec, parseSpec, type SpecText } from '../config/network-spec.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { FIREWALL_BACKENDS } from '../model/firewall.ts';
import type { DockerNetworkRow, NetworkRow, PoolRow } from './store.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Parses the JSON body of a row; undefined if it is malformed or lacks a field that every reader needs. A broken body
 * affects its own row only.
 */
export function parseEndpoint(body: string): Endpoint | undefined {
  return parse<Endpoint>(body, (fields) => {
    const { attachment, kind, role, progress, sandbox } = fields;
    const parts = isFields(attachment)
      ? [attachment.camp, attachment.network, attachment.containerId, attachment.ifName]
      : [undefined];
    const place = isFields(sandbox) ? [sandbox.path, sandbox.id] : [undefined];
    const isWhole = typeof kind === 'string' && FACTS[kind]?.(fields) === true;
    return isWhole && areTexts([...parts, role, ...place]) && (progress === 'intent' || progress === 'ready');
  });
}

/** The fields that every reader needs, by kind of endpoint. */
const FACTS: Readonly<Record<string, (fields: Fields) => boolean>> = {
  cni: ({ link, inside, aliases, published, standby }) =>
    isLink(link) && isInside(inside) && areTexts(aliases) && isPublished(published) && isPublished(standby),
  docker: ({ link, addresses }) => (link === undefined || isLink(link)) && areTexts(addresses),
  recalled: ({ hostIf }) => typeof hostIf === 'string',
  ports: ({ published, standby }) => isPublished(published) && isPublished(standby),
  firewall: () => true,
  bandwidth: ({ shaping }) => isFields(shaping) && areTexts([shaping.hostIf, shaping.ifb]),
  tuning: ({ wanted, before }) => [wanted, before].every(isTuned),
};

function isLink(link: unknown): boolean {
  return isFields(link) && areTexts([link.hostIf, link.ifName, link.mac, link.bridge]);
}

function isInside(inside: unknown): boolean {
  if (!isFields(inside) || !Array.isArray(inside.addresses) || !Array.isArray(inside.routes)) return false;
  return inside.addresses.every((one) => isFields(one) && typeof one.address === 'string');
}

function isPublished(published: unknown): boolean {
  if (published === undefined) return true;
  if (!isFields(published) || !isBackend(published.backend) || !Array.isArray(published.entries)) return false;
  return published.entries.every((one) => isFields(one) && areTexts([one.kind, one.protocol, one.address]));
}

/** The names of FirewallBackend. */
function isBackend(name: unknown): boolean {
  return FIREWALL_BACKENDS.some((known) => known === name);
}

function isTuned(tuned: unknown): boolean {
  return isFields(tuned) && Array.isArray(tuned.sysctls) && isFields(tuned.link);
}

/** One of model/owned.ts: its deletion needs every field. */
function isOwned(one: unknown): boolean {
  if (!isFields(one)) return false;
  switch (one.kind) {
    case 'link':
      return areTexts([one.name, one.link]);
    case 'promisc':
    case 'localnet':
      return areTexts([one.dev]);
    case 'address':
    case 'replaced':
      return areTexts([one.dev, one.address]);
    case 'entry':
      return isBackend(one.backend) && isFields(one.entry) && areTexts([one.entry.kind]);
    default:
      return false;
  }
}

/** Like `parseEndpoint`. */
export function parseNetwork(body: string): NetworkRow | undefined {
  const row = parse<NetworkText>(
    body,
    ({ name, driver, device, bootId, owned, holders }) =>
      areTexts([name, driver, device, bootId]) &&
      Array.isArray(owned) &&
      owned.every(isOwned) &&
      (holders === undefined || (Array.isArray(holders) && holders.every(isHolder))),
  );
  if (row?.spec === undefined) return row as NetworkRow | undefined;
  try {
    return { ...row, spec: parseSpec(row.spec) };
  } catch {
    return undefined;
  }
}

function isHolder(holder: unknown): boolean {
  return (
    isFields(holder) && (holder.kind === 'operator' || (holder.kind === 'docker' && typeof holder.id === 'string'))
  );
}

/** The inverse of parseNetwork. */
export function formatNetwork({ spec, ...row }: NetworkRow): string {
  const text: NetworkText = { ...row, ...(spec === undefined ? {} : { spec: formatSpec(spec) }) };
  return JSON.stringify(text);
}

type NetworkText = Omit<NetworkRow, 'spec'> & { readonly spec?: SpecText };

/** Like `parseEndpoint`. */
export function parseDockerNetwork(body: string): DockerNetworkRow | undefined {
  return parse<DockerNetworkRow>(body, ({ id, network, driver, request, mode4, mode6, ifPrefix }) =>
    areTexts([id, network, driver, request, mode4, mode6, ifPrefix]),
  );
}

/** Like `parseEndpoint`. */
export function parsePool(body: string): PoolRow | undefined {
  return parse<PoolRow>(body, ({ id, scope, subnet, reserved }) => areTexts([id, scope, subnet]) && areTexts(reserved));
}

/** Checks few fields: only `put` writes bodies, so a body breaks only on disk or by hand. */
function parse<T>(body: string, holds: (fields: Fields) => boolean): T | undefined {
  try {
    const value = JSON.parse(body);
    return isFields(value) && holds(value) ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
