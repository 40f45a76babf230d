import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { contains, parsePrefix } from '../../src/shared/model/prefix.ts';
import { type DockerCaller, Refusal } from '../support/docker-caller.ts';

type Json = Readonly<Record<string, unknown>>;

/** One request of dockerd, and what the plugin of then answered. */
interface Recorded {
  readonly method: string;
  /** Null where the protocol has none. */
  readonly body: Json | null;
  readonly response: Json;
}

const FIXTURES = join(import.meta.dirname, '../fixtures/transcripts');

/** A recorded host. */
export interface Session {
  readonly name: string;
  readonly requests: readonly Recorded[];
}

/** Recorded with our own plugin, each on one host: what it refused then, it refuses. */
const OWN: readonly string[] = ['docker-26.1.5', 'docker-28.5.2'];

/** Steps of hosts with dockerd 20.10.24: from, to before. They were recorded in turns, with another plugin. */
const TURNS: readonly (readonly (readonly [string, string])[])[] = [
  [['01', '50']],
  [
    ['50', '62'],
    ['69', '90'],
  ],
  [['62', '69']],
  [['90', '99']],
];

/** The address spaces of the recorded plugin, and ours. */
const SPACES = [
  ['spikelocal', 'isthmus'],
  ['spikeglobal', 'isthmus-global'],
] as const;

/** Options for the recorded plugin; ours refuses unknown ones. */
const TYPED: readonly string[] = ['foo', 'x', 'ipk'];
const GENERIC = 'com.docker.network.generic';
const PORTS = 'com.docker.network.portmap';
const PROGRAM = 'NetworkDriver.ProgramExternalConnectivity';

/** The recorded hosts; the requests of each in their order. */
export function sessions(): Session[] {
  const steps = (dir: string): string[] => readdirSync(join(FIXTURES, dir)).sort();
  const requestsOf = (dir: string, files: readonly string[]): Recorded[] =>
    files.flatMap((file): Recorded[] => JSON.parse(readFileSync(join(FIXTURES, dir, file), 'utf8')).requests);
  const all = steps('docker');
  const early = TURNS.map((ranges, i) => {
    const files = ranges.flatMap(([from, to]) => all.filter((file) => file >= from && file < to));
    return { name: `docker-20.10.24, host ${i + 1}`, requests: requestsOf('docker', files) };
  });
  return [...early, ...OWN.map((name) => ({ name, requests: requestsOf(name, steps(name)) }))];
}

/**
 * Plays recorded requests to a plugin, with the pools and addresses that it answers in place of those of then, and
 * looks at every answer.
 */
export class Replay {
  readonly #docker: DockerCaller;
  /** Recorded addresses, subnets and spaces to what stands for them. */
  readonly #meant = new Map<string, string>(SPACES);
  /** The same for ids of pools, which the recorded plugin had named by their subnets. */
  readonly #meantPools = new Map<string, string>();
  readonly #networks = new Set<string>();
  /** The requests, by id. */
  readonly #endpoints = new Map<string, Json>();
  readonly #pools = new Set<string>();
  readonly #addresses = new Map<string, Json>();
  /** The answers to requests with a value that ours refuses; they were replayed without it. */
  readonly refused: string[] = [];

  constructor(docker: DockerCaller) {
    this.#docker = docker;
  }

  async play({ name, requests }: Session): Promise<void> {
    for (const [i, { method, body, response }] of requests.entries()) {
      const asked = body === null ? null : this.#translate(body);
      try {
        const refused = OWN.includes(name) && response.Err !== undefined;
        if (refused || (method === 'IpamDriver.RequestAddress' && this.#isHeld(asked?.Address))) {
          await this.#assertRefused(method, asked);
          continue;
        }
        const answer = await this.#ask(method, asked);
        check(method, asked ?? {}, answer);
        this.#learn(method, asked ?? {}, answer, response);
      } catch (error) {
        throw new Error(`request ${i}, ${method} ${JSON.stringify(asked)}: ${error}`, { cause: error });
      }
    }
  }

  /** Deletes what is left of the requested objects, as dockerd would. */
  async end(): Promise<void> {
    for (const ids of this.#endpoints.values()) await this.#docker.call('NetworkDriver.DeleteEndpoint', ids);
    for (const asked of this.#addresses.values()) await this.#docker.call('IpamDriver.ReleaseAddress', asked);
    for (const PoolID of this.#pools) await this.#docker.call('IpamDriver.ReleasePool', { PoolID });
    for (const NetworkID of this.#networks) await this.#docker.call('NetworkDriver.DeleteNetwork', { NetworkID });
  }

  async #ask(method: string, asked: Json | null): Promise<Json> {
    const known = asked === null ? null : acceptable(method, asked);
    if (JSON.stringify(known) !== JSON.stringify(asked)) await this.#assertRefused(method, asked);
    return await this.#docker.call(method, known);
  }

  async #assertRefused(method: string, asked: Json | null): Promise<void> {
    await assert.rejects(this.#docker.call(method, asked), (error) => {
      assert.ok(error instanceof Refusal);
      this.refused.push(`${method}: ${error.message}`);
      return true;
    });
  }

  /** An endpoint has it. dockerd asks again for such an address where a plugin wants that, which ours does not. */
  #isHeld(address: unknown): boolean {
    const wanted = [...this.#endpoints.values()].map(({ Interface }) => String((Interface as Json).Address));
    return wanted.some((text) => text.split('/')[0] === address);
  }

  #translate(body: Json): Json {
    return JSON.parse(JSON.stringify(body), (key, value) => {
      if (typeof value !== 'string') return value;
      return (key === 'PoolID' ? this.#meantPools : this.#meant).get(value) ?? value;
    });
  }

  #learn(method: string, asked: Json, answer: Json, recorded: Json): void {
    const { NetworkID, EndpointID, PoolID, Address } = asked as Readonly<Record<string, string>>;
    const key = `${PoolID} ${Address}`;
    if (method === 'NetworkDriver.CreateNetwork') this.#networks.add(String(NetworkID));
    if (method === 'NetworkDriver.DeleteNetwork') this.#networks.delete(String(NetworkID));
    if (method === 'NetworkDriver.CreateEndpoint') this.#endpoints.set(String(EndpointID), asked);
    if (method === 'NetworkDriver.DeleteEndpoint') this.#endpoints.delete(String(EndpointID));
    if (method === 'IpamDriver.ReleasePool') this.#pools.delete(String(PoolID));
    if (method === 'IpamDriver.ReleaseAddress') this.#addresses.delete(key);
    if (method === 'IpamDriver.RequestPool') {
      this.#pools.add(String(answer.PoolID));
      mean(this.#meantPools, recorded.PoolID, answer.PoolID);
      mean(this.#meant, recorded.Pool, answer.Pool);
    }
    if (method === 'IpamDriver.RequestAddress') {
      const own = String(answer.Address).split('/')[0] ?? '';
      this.#addresses.set(`${PoolID} ${own}`, { PoolID, Address: own });
      mean(this.#meant, recorded.Address, answer.Address);
      if (typeof recorded.Address === 'string') mean(this.#meant, recorded.Address.split('/')[0], own);
    }
  }
}

function mean(meant: Map<string, string>, recorded: unknown, own: unknown): void {
  if (typeof recorded === 'string') meant.set(recorded, String(own));
}

/**
 * The request without options that were typed for another plugin, and without ports that are published on an address of
 * IPv6, which nothing leads to a container that has none.
 */
function acceptable(method: string, body: Json): Json {
  const { Options: options } = body;
  if (!isObject(options)) return body;
  const known = withoutTyped(options);
  const { [GENERIC]: generic, [PORTS]: ports } = known;
  return {
    ...body,
    Options: {
      ...known,
      ...(isObject(generic) ? { [GENERIC]: withoutTyped(generic) } : {}),
      ...(method === PROGRAM && Array.isArray(ports) ? { [PORTS]: ports.filter((port) => !isOfIPv6(port)) } : {}),
    },
  };
}

function withoutTyped(options: Json): Json {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !TYPED.includes(key)));
}

function isOfIPv6({ HostIP }: { readonly HostIP: string }): boolean {
  return HostIP.includes(':');
}

/** Throws unless the answer is one that dockerd can use: facts of libnetwork's drivers/remote and ipams/remote. */
function check(method: string, asked: Json, answer: Json): void {
  const { Err, Error: failure, ...rest } = answer;
  assert.deepEqual([Err, failure], [undefined, undefined]);
  const [, name = ''] = method.split('.');
  const shape = SHAPES[method] ?? SHAPES[name];
  if (shape === undefined) assert.deepEqual(rest, {});
  else shape(rest, asked);
}

/** Methods that are not here answer nothing. */
const SHAPES: Readonly<Record<string, (answer: Json, asked: Json) => void>> = {
  Activate: (answer) => assert.deepEqual(answer, { Implements: ['NetworkDriver', 'IpamDriver'] }),
  'NetworkDriver.GetCapabilities': (answer) =>
    assert.deepEqual(answer, { Scope: 'local', ConnectivityScope: 'local', GwAllocChecker: true }),
  'IpamDriver.GetCapabilities': (answer) =>
    assert.deepEqual(answer, { RequiresMACAddress: false, RequiresRequestReplay: false }),
  GetDefaultAddressSpaces: (answer) =>
    assert.deepEqual(answer, { LocalDefaultAddressSpace: 'isthmus', GlobalDefaultAddressSpace: 'isthmus-global' }),
  GwAllocCheck: (answer) => assert.deepEqual(Object.keys(answer), ['SkipIPv4', 'SkipIPv6']),
  EndpointOperInfo: ({ Value, ...rest }) => assert.ok(isObject(Value) && Object.keys(rest).length === 0),
  CreateEndpoint: ({ Interface = {}, ...rest }, asked) => {
    assert.deepEqual(rest, {});
    const { MacAddress } = asked.Interface as Json;
    // dockerd refuses an answer to what it has said itself.
    if (MacAddress !== '') assert.deepEqual(Interface, {});
    else {
      assert.ok(isObject(Interface));
      assert.match(JSON.stringify(Interface), /^\{"MacAddress":"[0-9a-f]{2}(:[0-9a-f]{2}){5}"\}$/);
    }
  },
  Join: ({ InterfaceName, Gateway, GatewayIPv6, StaticRoutes, DisableGatewayService, ...rest }) => {
    assert.deepEqual([rest, StaticRoutes ?? []], [{}, []]);
    assert.match(
      JSON.stringify(InterfaceName),
      /^\{"SrcName":"\w{1,15}","DstPrefix":("eth"|"foo","DstName":"foo0")\}$/,
    );
    for (const gateway of [Gateway, GatewayIPv6]) if (gateway !== undefined) assert.ok(parseAddr(String(gateway)));
    // Without either, dockerd attaches the container to a bridge of its own too.
    assert.equal(Gateway === undefined, DisableGatewayService === true);
  },
  RequestPool: ({ PoolID, Pool, Data, ...rest }, { Pool: wanted }) => {
    assert.deepEqual(rest, {});
    assert.ok(typeof PoolID === 'string' && PoolID !== '' && isObject(Data));
    assert.ok(typeof Pool === 'string' && parsePrefix(Pool) !== undefined);
    if (wanted !== '') assert.equal(Pool, wanted);
  },
  RequestAddress: ({ Address, Data = {}, ...rest }, { Address: wanted }) => {
    assert.deepEqual([rest, Data], [{}, {}]);
    const prefix = typeof Address === 'string' ? parsePrefix(Address) : undefined;
    assert.ok(prefix !== undefined && contains(prefix, prefix.addr), String(Address));
    if (wanted !== '') assert.equal(String(Address).split('/')[0], wanted);
  },
};

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
