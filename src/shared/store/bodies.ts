import { formatSpec, parseSpec, type SpecText } from '../config/network-spec.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { parseJson } from '../model/json.ts';
import * as fact from './fact-shapes.ts';
import { inside, link } from './interface-shapes.ts';
import { loneLink } from './lone-shapes.ts';
import { sbr, vrf } from './routing-shapes.ts';
import * as is from './shapes.ts';
import type { DockerNetworkRow, NetworkRow, PoolRow } from './store.ts';

/**
 * Parses the JSON body of a row; undefined if it is malformed or has a value that its type excludes. A broken body
 * affects its own row only.
 */
export function parseEndpoint(body: string): Endpoint | undefined {
  return parse<Endpoint>(body, endpoint);
}

const attachment = is.record({ camp: is.text, network: is.text, containerId: is.text, ifName: is.text });

const part: Readonly<Record<string, is.Shape>> = {
  attachment,
  role: is.text,
  progress: is.oneOf('intent', 'ready'),
  sandbox: is.record({ path: is.text, id: is.text }),
  stamp: is.optional(is.text),
  journal: is.optional(is.list(fact.op)),
};
const interfacePart = { ...part, scope: is.optional(is.text) };
const publisher = { ...part, published: is.optional(fact.published), standby: is.optional(fact.published) };
const ruler = { rules: is.optional(fact.rules) };
const docker = { dockerNetwork: is.optional(is.text), ifName: is.optional(is.text) };

const endpoint = is.variant('kind', {
  cni: is.record({
    ...publisher,
    ...ruler,
    ...interfacePart,
    link,
    inside,
    shaping: is.optional(fact.shaping),
    aliases: is.list(is.text),
    delegate: is.optional(is.record({ type: is.text, config: is.text })),
  }),
  lone: is.record({
    ...interfacePart,
    link: loneLink,
    inside,
    aliases: is.list(is.text),
    delegate: is.optional(is.record({ type: is.text, config: is.text })),
  }),
  docker: is.record({
    ...interfacePart,
    ...docker,
    link: is.optional(link),
    lone: is.optional(loneLink),
    netns: is.optional(is.text),
    addresses: is.list(is.prefix),
    createdAt: is.count,
  }),
  recalled: is.record({
    ...interfacePart,
    ...docker,
    hostIf: is.device,
    isCut: is.optional(is.flag),
    addresses: is.optional(is.list(is.prefix)),
    createdAt: is.optional(is.count),
  }),
  ports: is.record({ ...publisher, ...ruler }),
  firewall: is.record({ ...part, ...ruler, zone: is.optional(fact.zone) }),
  bandwidth: is.record({ ...part, shaping: fact.shaping }),
  tuning: is.record({
    ...part,
    wanted: fact.tuned,
    before: fact.tuned,
    guardedPort: is.optional(is.device),
  }),
  sbr: is.record({ ...part, sbr }),
  vrf: is.record({ ...part, vrf }),
});

const network = is.record({
  name: is.text,
  driver: is.text,
  // Empty for a network without one.
  device: is.either(is.device, is.oneOf('')),
  bootId: is.text,
  owned: is.list(fact.owned),
  deleting: is.optional(is.oneOf(true)),
  spec: is.optional(fact.spec),
  holders: is.optional(is.list(is.variant('kind', { operator: is.record({}), docker: is.record({ id: is.text }) }))),
});

/** Like `parseEndpoint`. */
export function parseNetwork(body: string): NetworkRow | undefined {
  const row = parse<NetworkText>(body, network);
  if (row?.spec === undefined) return row as NetworkRow | undefined;
  try {
    return { ...row, spec: parseSpec(row.spec) };
  } catch {
    return undefined;
  }
}

/** The inverse of parseNetwork. */
export function formatNetwork({ spec, ...row }: NetworkRow): string {
  const text: NetworkText = { ...row, ...(spec === undefined ? {} : { spec: formatSpec(spec) }) };
  return JSON.stringify(text);
}

type NetworkText = Omit<NetworkRow, 'spec'> & { readonly spec?: SpecText };

const gatewayMode = is.oneOf('nat', 'nat-unprotected', 'routed', 'isolated');

const list = is.record({
  text: is.text,
  path: is.list(is.text),
  args: is.optional(is.text),
  seconds: is.positive,
  completes: is.optional(is.oneOf(true)),
});

const dockerNetwork = is.record({
  id: is.text,
  network: is.text,
  driver: is.oneOf('bridge', 'null', 'overlay', 'macvlan', 'ipvlan', 'cni'),
  list: is.optional(list),
  request: is.text,
  internal: is.flag,
  gateway4: is.optional(is.addr),
  gateway6: is.optional(is.addr),
  mode4: gatewayMode,
  mode6: gatewayMode,
  scope: is.optional(is.text),
  hostBinding: is.optional(is.addr),
  ifPrefix: is.text,
  createdAt: is.count,
});

/** Like `parseEndpoint`. */
export function parseDockerNetwork(body: string): DockerNetworkRow | undefined {
  return parse<DockerNetworkRow>(body, dockerNetwork);
}

const pool = is.record({
  id: is.text,
  scope: is.text,
  network: is.optional(is.text),
  subnet: is.prefix,
  whole: is.optional(is.prefix),
  range: is.optional(is.prefix),
  gateway: is.optional(is.addr),
  reserved: is.list(is.addr),
  usedBy: is.optional(is.text),
  requestedAt: is.count,
});

/** Like `parseEndpoint`. */
export function parsePool(body: string): PoolRow | undefined {
  return parse<PoolRow>(body, pool);
}

function parse<T>(body: string, shape: is.Shape): T | undefined {
  try {
    const value = parseJson(body);
    return shape(value) ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
