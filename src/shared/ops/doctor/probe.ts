import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../../core/core.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { type Addr, formatAddr, parseAddr } from '../../model/addr.ts';
import { addressesOf, type Endpoint } from '../../model/endpoint.ts';
import { sendEcho } from '../../netlink/probe-sockets.ts';
import { keyOf, openQuestion } from '../../netlink/who-has.ts';
import type { Facts, PathProbe, ProbeFacts, TwiceProbe } from './facts.ts';
import type { Scope } from './registry.ts';
import { titleOf } from './rules/network.ts';

export interface ProbeOptions {
  readonly scope?: Scope;
  /** Where large packets are sent to. Default: the next hop of the host's default route. */
  readonly to?: Addr;
}

/** Sends packets: who else has the addresses of endpoints, and how large packets may be on the way out. */
export async function probe(core: Core, facts: Facts, { scope, to }: ProbeOptions = {}): Promise<ProbeFacts> {
  const parts = (facts.records?.endpoints ?? []).filter((part) => isAsked(part, scope));
  const twice: TwiceProbe[] = [];
  for (const { row } of facts.networks) {
    const own = parts.filter(({ attachment }) => attachment.network === row.name);
    twice.push(...(await askForOthers(core, facts, row.device, own)));
  }
  const paths: PathProbe[] = [];
  const target = to ?? nextHop(facts);
  if (target !== undefined)
    for (const { row } of facts.networks) {
      const part = parts.find(({ attachment, kind }) => kind === 'cni' && attachment.network === row.name);
      const found = part && (await probeFrom(core, part, target));
      if (found !== undefined) paths.push(found);
    }
  return { twice, paths };
}

function isAsked({ role, progress, attachment }: Endpoint, scope: Scope | undefined): boolean {
  if (role !== 'interface' || progress !== 'ready') return false;
  if (scope === undefined) return true;
  if (scope.containers.length > 0) return scope.containers.includes(attachment.containerId);
  return scope.networks.includes(attachment.network);
}

function nextHop({ view }: Facts): Addr | undefined {
  const routes = view.routes.filter(({ dst, table = 254 }) => dst === '0.0.0.0/0' && table === 254);
  return parseAddr(routes.toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0))[0]?.gateway ?? '');
}

/** Each question is sent so often, and answers are awaited for so long after each. */
const QUESTIONS = 2;
const ANSWER_MS = 150;
/** More at once than a bridge forwards without loss make no sense. */
const PORTION = 256;

async function askForOthers(
  { host }: Core,
  { view }: Facts,
  device: string,
  parts: readonly Endpoint[],
): Promise<TwiceProbe[]> {
  const link = view.links.get(device);
  const { own } = host;
  if (link?.up !== true || !(own instanceof LinuxNamespace) || parts.length === 0) return [];
  const local = view.addresses.find(({ dev, address }) => dev === device && address.startsWith('fe80:'));
  const source6 = parseAddr(local?.address.replace(/\/.*/, '') ?? '');
  const asker = { ifindex: link.index, mac: link.mac, ...(source6 && { source6 }) };
  const owners = parts.flatMap((part) => macAndAddresses(part));
  const found: TwiceProbe[] = [];
  for (let at = 0; at < owners.length; at += PORTION) {
    const portion = owners.slice(at, at + PORTION);
    using question = own.within(() => openQuestion(asker));
    for (let i = 0; i < QUESTIONS; i++) {
      for (const { address } of portion) question.ask(address);
      await sleep(ANSWER_MS);
      question.answers();
    }
    const answers = question.answers();
    for (const { part, address, mac } of portion) {
      const other = [...(answers.get(keyOf(address)) ?? [])].find((one) => one !== mac);
      if (other === undefined) continue;
      const { network, containerId } = part.attachment;
      found.push({ network, container: containerId, address: formatAddr(address), own: mac, other });
    }
  }
  return found;
}

function macAndAddresses(part: Endpoint): { part: Endpoint; address: Addr; mac: string }[] {
  if ((part.kind !== 'cni' && part.kind !== 'docker') || part.link === undefined) return [];
  const { mac } = part.link;
  return addressesOf(part).flatMap((text) => {
    const address = parseAddr(text.replace(/\/.*/, ''));
    return address === undefined ? [] : [{ part, address, mac }];
  });
}

/** The smallest packet that every link must carry (RFC 791), with room for our header. */
const SMALLEST = 68;
const ECHO_MS = 300;

/** Undefined if the container has no way there, or nothing answers there at all. */
async function probeFrom({ host }: Core, part: Endpoint, to: Addr): Promise<PathProbe | undefined> {
  if (part.kind !== 'cni' || part.sandbox.path === '' || to.family !== 4) return undefined;
  const { ifName, network } = part.attachment;
  try {
    using sandbox = host.open(part.sandbox.path);
    if (!(sandbox instanceof LinuxNamespace)) return undefined;
    const mtu = host.observe(sandbox, { links: [ifName] }).links.get(ifName)?.mtu;
    if (mtu === undefined || !(await arrives(sandbox, to, SMALLEST))) return undefined;
    const known = { from: titleOf(part.attachment), network, to: formatAddr(to), mtu };
    return { ...known, arrives: (await arrives(sandbox, to, mtu)) ? mtu : await largest(sandbox, to, mtu) };
  } catch {
    // The container may go at any time.
    return undefined;
  }
}

async function largest(sandbox: LinuxNamespace, to: Addr, mtu: number): Promise<number> {
  let [low, high] = [SMALLEST, mtu];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (await arrives(sandbox, to, middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Two tries: a packet may be lost for other reasons. */
async function arrives(sandbox: LinuxNamespace, to: Addr, size: number): Promise<boolean> {
  for (let attempt = 0; attempt < 2; attempt++) {
    using sent = sandbox.within(() => sendEcho(to, size));
    for (let waited = 0; waited < ECHO_MS; waited += STEP_MS) {
      const state = sent.state();
      if (state === 'answered') return true;
      // EMSGSIZE: the link itself is smaller.
      if (state !== 'waiting') break;
      await sleep(STEP_MS);
    }
  }
  return false;
}

const STEP_MS = 10;
