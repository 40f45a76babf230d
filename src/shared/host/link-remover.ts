import { randomInt } from 'node:crypto';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Op } from '../model/op.ts';
import { ENODEV, IFF_UP, NETLINK_ROUTE, RTM_DELLINK, RTM_SETLINK } from '../netlink/constants.ts';
import { type LinkAttrs, type LinkMessage, link } from '../netlink/link.ts';
import { NetlinkSocket, type Request, socketError } from '../netlink/socket.ts';
import { badOp, opError, otherKind } from './failure.ts';
import { deleteLink } from './link-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { getLink } from './read-links.ts';

type LinkDelete = Extract<Op, { op: 'link.delete' }>;
type Outcome = NetError | undefined;

/** A link that is to go; one of another kind than `kind` is somebody else's. */
export type UnwantedLink = Pick<LinkDelete, 'name' | 'kind'>;

interface Removal {
  readonly op: LinkDelete;
  readonly settle: (outcome: Outcome) => void;
}

/** A link that exists and is to go, with one of the steps that ask for it. */
interface Target {
  readonly op: LinkDelete;
  readonly index: number;
  /** Of some kind, so that it can go with others; what has no kind (`lo`, hardware) cannot be deleted at all. */
  readonly grouped: boolean;
  /** Of a bridge, or of whatever else has ports. */
  readonly port: boolean;
}

/** Group numbers for batches: far above those that people choose, and positive in the kernel's `int`. */
const LEAST_GROUP = 2 ** 24;
const GROUP_END = 2 ** 31;

/**
 * The kernel keeps its lock of all links (RTNL) while it deletes a group, about 0.3 ms a link, and everybody's ADD
 * waits for that. More links at once would hardly go faster, as the wait after that lock is 20 ms.
 */
const MAX_BATCH = 64;

/**
 * Removes links of one namespace while the calling thread goes on. The kernel takes about 20 ms for a deletion, and
 * hardly more for some that it is told of at once: what is asked for while a batch is under way goes with the next one.
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
   * No link of that name is there any more: it has been deleted, or there was none. Else the reason, with the same
   * words as a `link.delete`; a link of another kind than `kind` is left alone (`conflict`). Never rejects.
   */
  async remove(unwanted: UnwantedLink): Promise<Outcome> {
    const op: LinkDelete = { op: 'link.delete', ns: 'host', ...unwanted };
    if (!this.#open) return badOp(op, 'links were to be removed after the end of that had been asked for');
    try {
      this.#socket ??= this.#ns.within(() => new NetlinkSocket(NETLINK_ROUTE));
    } catch (error) {
      return asNetError(error, op.op);
    }
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.push({ op, settle: resolve });
    if (!this.#busy) this.#schedule(this.#socket);
    return promise;
  }

  /** Nothing new is taken; what has been taken is finished. */
  [Symbol.dispose](): void {
    this.#open = false;
    if (!this.#busy) this.#socket?.[Symbol.dispose]();
  }

  /** What is asked for in this turn of the event loop goes together. */
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
    batch.forEach(({ settle }, i) => {
      settle(outcomes[i]);
    });
    this.#busy = false;
    if (this.#waiting.length > 0) this.#schedule(socket);
    else if (!this.#open) socket[Symbol.dispose]();
  }
}

/** What became of each deletion, in order. */
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

/** The link that a deletion means, or the reason why it is left alone; undefined where there is none. */
function judge(op: LinkDelete, found: LinkMessage | NetError | undefined): Target | Outcome {
  if (found === undefined || !('header' in found)) return found;
  const { header, attrs } = found;
  const kind = attrs.info?.kind;
  if (op.kind !== undefined && op.kind !== kind) return otherKind(op, kind);
  return { op, index: header.index, grouped: kind !== undefined, port: attrs.master !== undefined };
}

/** The failures by index. Links of some kind go together, where there are several. */
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
 * Links are marked with a group that nobody else has, and the group is deleted, in one send.
 * A link that was not marked, or a group that was not deleted, shows in links that are left.
 */
async function deleteGroup(socket: NetlinkSocket, targets: readonly Target[]): Promise<void> {
  const group = randomInt(LEAST_GROUP, GROUP_END);
  const deletion: Request = { type: RTM_DELLINK, payload: link.encode({ header: {}, attrs: { group } }) };
  await socket.exchangeAsync([...targets.flatMap((target) => marks(target, group)), deletion]);
}

/**
 * A port leaves its bridge with messages of its own: that waits for RCU, and in the deletion of the group all the
 * waits would be one long hold of RTNL. It goes down first, lest it be an interface of the host's own for a moment.
 */
function marks({ index, port }: Target, group: number): Request[] {
  if (!port) return [setLink({ index }, { group })];
  return [setLink({ index, change: IFF_UP }, {}), setLink({ index }, { group, master: 0 })];
}

function setLink(header: Partial<LinkMessage['header']>, attrs: LinkAttrs): Request {
  return { type: RTM_SETLINK, payload: link.encode({ header, attrs }) };
}

/** The links of those names that exist, and the errors of those that could not be looked for. */
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

/** Those of the links that exist. One that could not be looked for counts as existing: its deletion says what is wrong. */
function stillThere(socket: NetlinkSocket, targets: readonly Target[]): readonly Target[] {
  const replies = socket.exchange(targets.map(({ index }) => getLink({}, index)));
  return targets.filter((_, i) => replies[i]?.errno !== ENODEV);
}
