import { randomInt } from 'node:crypto';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Op } from '../model/op.ts';
import { ENODEV, IFF_UP, NETLINK_ROUTE, RTM_DELLINK, RTM_SETLINK } from '../netlink/constants.ts';
import { type LinkAttrs, type LinkMessage, link } from '../netlink/link.ts';
import { socketError } from '../netlink/message.ts';
import { NetlinkSocket, type Request } from '../netlink/socket.ts';
import { badOp, opError, otherKind } from './failure.ts';
import { deleteLink } from './link-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { getLink } from './read-links.ts';

type LinkDelete = Extract<Op, { op: 'link.delete' }>;
type Outcome = NetError | undefined;

/** A link to delete; a link of another kind than `kind` is foreign. */
export type UnwantedLink = Pick<LinkDelete, 'name' | 'kind'>;

interface Removal {
  readonly op: LinkDelete;
  readonly resolve: (outcome: Outcome) => void;
}

/** An existing link to delete, with one of the steps that request it. */
interface Target {
  readonly op: LinkDelete;
  readonly index: number;
  /**
   * True if the link has a kind and can be deleted in a group; a link without a kind (`lo`, hardware) cannot be
   * deleted.
   */
  readonly grouped: boolean;
  /** True for a port of a bridge or of any other master. */
  readonly port: boolean;
}

/** Group numbers for batches: far above numbers that people choose, and positive in the kernel's `int`. */
const LEAST_GROUP = 2 ** 24;
const GROUP_END = 2 ** 31;

/**
 * The kernel holds its lock of all links (RTNL) while it deletes a group, about 0.3 ms a link, and every ADD waits for
 * it. Larger batches would hardly be faster, as the wait after that lock is 20 ms.
 */
const MAX_BATCH = 64;

/**
 * Deletes links of one namespace while the calling thread continues. The kernel takes about 20 ms for one deletion, and
 * hardly more for a batch: requests that arrive during a batch go into the next one.
 */
export class LinkRemover implements Disposable {
  readonly #ns: LinuxNamespace;
  #socket: NetlinkSocket | undefined;
  readonly #waiting: Removal[] = [];
  #busy = false;
  #open = true;

  constructor(ns: LinuxNamespace) {
    this.#ns = ns;
  }

  /**
   * Deletes the link; absence is success. Otherwise returns the error with the same text as a `link.delete`; leaves a
   * link of another kind than `kind` alone (`conflict`). Never rejects.
   */
  async remove(unwanted: UnwantedLink): Promise<Outcome> {
    const op: LinkDelete = { op: 'link.delete', ns: 'host', ...unwanted };
    if (!this.#open) return badOp(op, 'the link remover is closed');
    try {
      this.#socket ??= this.#ns.within(() => new NetlinkSocket(NETLINK_ROUTE));
    } catch (error) {
      return asNetError(error, op.op);
    }
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.push({ op, resolve });
    if (!this.#busy) this.#schedule(this.#socket);
    return promise;
  }

  /** Stops accepting requests and finishes the accepted ones. */
  [Symbol.dispose](): void {
    this.#open = false;
    if (!this.#busy) this.#socket?.[Symbol.dispose]();
  }

  /** Requests of one turn of the event loop form one batch. */
  #schedule(socket: NetlinkSocket): void {
    this.#busy = true;
    setImmediate(() => this.#nextBatch(socket));
  }

  async #nextBatch(socket: NetlinkSocket): Promise<void> {
    const batch = this.#waiting.splice(0, MAX_BATCH);
    const outcomes = await removeLinks(
      socket,
      batch.map(({ op }) => op),
    );
    batch.forEach(({ resolve }, i) => {
      resolve(outcomes[i]);
    });
    this.#busy = false;
    if (this.#waiting.length > 0) this.#schedule(socket);
    else if (!this.#open) socket[Symbol.dispose]();
  }
}

/** Returns the outcome of each deletion, in order. */
async function removeLinks(socket: NetlinkSocket, ops: readonly LinkDelete[]): Promise<Outcome[]> {
  try {
    const found = findLinks(socket, new Set(ops.map(({ name }) => name)));
    const judged = ops.map((op) => judge(op, found.get(op.name)));
    const targets = new Map(judged.flatMap((one) => (one && 'index' in one ? [[one.index, one]] : [])));
    const failures = await deleteTargets(socket, [...targets.values()]);
    return judged.map((one) => (one && 'index' in one ? failures.get(one.index) : one));
  } catch (error) {
    return ops.map(({ op }) => asNetError(error, op));
  }
}

/** Returns the link that a deletion refers to, or the reason to leave it alone; undefined if it does not exist. */
function judge(op: LinkDelete, found: LinkMessage | NetError | undefined): Target | Outcome {
  if (found === undefined || !('header' in found)) return found;
  const { header, attrs } = found;
  const kind = attrs.info?.kind;
  if (op.kind !== undefined && op.kind !== kind) return otherKind(op, kind);
  return { op, index: header.index, grouped: kind !== undefined, port: attrs.master !== undefined };
}

/** Returns the failures by index. Deletes links that have a kind together if there are several. */
async function deleteTargets(socket: NetlinkSocket, targets: readonly Target[]): Promise<Map<number, NetError>> {
  const grouped = targets.filter((target) => target.grouped);
  if (grouped.length > 1) await deleteGroup(socket, grouped);
  const left = grouped.length > 1 ? stillThere(socket, targets) : targets;
  const replies = await socket.exchangeAsync(left.map(({ index }) => deleteLink(index)));
  return new Map(
    left.flatMap(({ op, index }, i) => {
      const { errno = 0, text = '' } = replies[i] ?? {};
      return errno === 0 || errno === ENODEV ? [] : [[index, opError(op, errno, text)]];
    }),
  );
}

/**
 * Marks the links with an unused group number and deletes the group, in one send. If marking or deleting fails, the
 * links still exist afterwards.
 */
async function deleteGroup(socket: NetlinkSocket, targets: readonly Target[]): Promise<void> {
  const group = randomInt(LEAST_GROUP, GROUP_END);
  const deletion: Request = { type: RTM_DELLINK, payload: link.encode({ header: {}, attrs: { group } }) };
  await socket.exchangeAsync([...targets.flatMap((target) => marks(target, group)), deletion]);
}

/**
 * Detaches a port from its bridge with messages of its own: that waits for RCU, and in a group deletion all these waits
 * would be one long hold of RTNL. Sets the port down first, so that it never acts as an interface of the host itself.
 */
function marks({ index, port }: Target, group: number): Request[] {
  if (!port) return [setLink({ index }, { group })];
  return [setLink({ index, change: IFF_UP }, {}), setLink({ index }, { group, master: 0 })];
}

function setLink(header: Partial<LinkMessage['header']>, attrs: LinkAttrs): Request {
  return { type: RTM_SETLINK, payload: link.encode({ header, attrs }) };
}

/** Returns the existing links of those names, and the errors of failed lookups. */
function findLinks(socket: NetlinkSocket, names: ReadonlySet<string>): ReadonlyMap<string, LinkMessage | NetError> {
  const replies = socket.exchange([...names].map((name) => getLink({ name })));
  const found = new Map<string, LinkMessage | NetError>();
  [...names].forEach((name, i) => {
    const { errno = 0, text = '', messages: [message] = [] } = replies[i] ?? {};
    const one = message && link.decode(message.payload, true);
    if (one !== undefined) found.set(name, one);
    else if (errno !== ENODEV) found.set(name, socketError(errno, `link ${name} could not be read`, text));
  });
  return found;
}

/** Returns the links that exist. A link whose lookup failed counts as existing: its deletion reports the error. */
function stillThere(socket: NetlinkSocket, targets: readonly Target[]): readonly Target[] {
  const replies = socket.exchange(targets.map(({ index }) => getLink({}, index)));
  return targets.filter((_, i) => replies[i]?.errno !== ENODEV);
}
