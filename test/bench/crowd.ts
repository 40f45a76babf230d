import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniHost } from '../support/cni-host.ts';
import { addPod, BRIDGE, type ChainSide, delPod, LIST, runtimeConfig } from './chain-side.ts';

/** Endpoints beside the measured one; all their interfaces are in one namespace. */
export interface Crowd {
  /** Adds endpoints until there are `count`; `count` never decreases. */
  grow(side: ChainSide, count: number): void;
}

/** The input of the program crowd-child.ts. */
export interface CrowdOrder {
  readonly stateDir: string;
  readonly netns: string;
  readonly from: number;
  readonly to: number;
  /** Configurations of the endpoints; `hostPortOf` gives the port of each. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The namespace of the other endpoints' interfaces, beside the measured pod's. */
const CROWD = 1;
/** Host port, container port and id that identify the rules of one endpoint. */
const TEMPLATE = { id: 'template', hostPort: 8081 };

/** The host port of endpoint number `i`. */
export function hostPortOf(i: number): number {
  return 20_000 + i;
}

/** Endpoints that our own core adds, one by one, in one process. */
export function ownCrowd(): Crowd {
  let there = 0;
  return {
    grow({ host, elements: [element] }, count) {
      if (element === undefined || count <= there) return;
      const config = { ...LIST, ...element.conf, ...runtimeConfig(element, 0) };
      const netns = host.pod(CROWD).path;
      const order: CrowdOrder = { stateDir: host.stateDir, netns, from: there, to: count, config };
      const program = join(import.meta.dirname, 'crowd-child.ts');
      const node = [process.execPath, '--disable-warning=ExperimentalWarning', program, JSON.stringify(order)];
      execFileSync('nsenter', [`--net=${host.ns.path}`, '--', ...node], { stdio: ['ignore', 'ignore', 'inherit'] });
      there = count;
    },
  };
}

/**
 * Endpoints as the reference's plugins leave them, made without the plugins, which would take minutes: ports of the
 * bridge, host-local's files, and the rules of one endpoint that the plugins have added, again for each of them.
 */
export function referenceCrowd(): Crowd {
  let there = 0;
  let template: Template | undefined;
  return {
    grow(side, count) {
      if (count <= there) return;
      template ??= readTemplate(side);
      const { host } = side;
      makePorts(host, there, count);
      for (let i = there; i < count; i++)
        writeFileSync(join(host.dataDir, LIST.name, addressOf(i)), `${idOf(i)}\r\neth${i}`);
      restoreRules(host, template, count);
      there = count;
    },
  };
}

/**
 * Disables IPv6 for the others: a thousand interfaces that come up at once announce their addresses to each other for
 * most of a minute, a million packets on the bridge.
 */
export function quieten(host: CniHost): void {
  host.pod(CROWD).run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
}

/** The number of rules in the host's packet filters, of all programs. */
export function countRules({ host }: ChainSide): number {
  const listing = execFileSync('nsenter', [`--net=${host.ns.path}`, 'nft', '-j', 'list', 'ruleset'], {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { nftables }: { nftables: object[] } = JSON.parse(listing);
  return nftables.filter((item) => 'rule' in item).length;
}

/** All rules beside one endpoint, with that endpoint's own values. */
interface Template {
  readonly rules: string;
  readonly address: string;
  /** The common start of the digest in the names of all its chains. */
  readonly digest: string;
}

function readTemplate(side: ChainSide): Template {
  const { ips = [] } = addPod(side, TEMPLATE.id, TEMPLATE.hostPort);
  const rules = side.host.ns.run('iptables-save');
  delPod(side, TEMPLATE.id, TEMPLATE.hostPort);
  const address = ips[0]?.address.replace(/\/.*/, '');
  const digest = /^:CNI-DN-([0-9a-f]+) /m.exec(rules)?.[1];
  if (address === undefined || digest === undefined) throw new Error(`no rules of an endpoint in\n${rules}`);
  return { rules, address, digest };
}

/** The rules of the template, each block repeated in place for each endpoint. */
function restoreRules(host: CniHost, { rules, address, digest }: Template, count: number): void {
  const own = (line: string): boolean => [`${address}/`, `${address}:`, digest].some((text) => line.includes(text));
  const lines: string[] = [];
  let block: string[] = [];
  for (const line of rules.split('\n')) {
    if (own(line)) {
      block.push(line);
      continue;
    }
    for (let i = 0; i < count && block.length > 0; i++) {
      const copy = block.join('\n').replaceAll(/(--dports? )\d+/g, `$1${hostPortOf(i)}`);
      const named = copy.replaceAll(address, addressOf(i)).replaceAll(TEMPLATE.id, idOf(i));
      lines.push(named.replaceAll(digest, digestOf(i, digest.length)));
    }
    block = [];
    lines.push(line);
  }
  execFileSync('nsenter', [`--net=${host.ns.path}`, 'iptables-restore'], { input: lines.join('\n') });
}

function makePorts(host: CniHost, from: number, to: number): void {
  const { name } = host.pod(CROWD);
  const outside: string[] = [];
  const inside: string[] = [];
  for (let i = from; i < to; i++) {
    outside.push(`link add crowd${i} up master ${BRIDGE} type veth peer name eth${i} netns ${name}`);
    inside.push(`link set eth${i} up`, `addr add ${addressOf(i)}/16 dev eth${i}`);
  }
  for (const [netns, lines] of [
    [host.ns.name, outside],
    [name, inside],
  ] as const)
    execFileSync('ip', ['-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

function idOf(i: number): string {
  return `crowd${i}`;
}

/** An address in the upper half of the pool, which the measured pods do not reach. */
function addressOf(i: number): string {
  return `10.88.${128 + (i >> 8)}.${i & 255}`;
}

function digestOf(i: number, length: number): string {
  return createHash('sha256').update(idOf(i)).digest('hex').slice(0, length);
}
