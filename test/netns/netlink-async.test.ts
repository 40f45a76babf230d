import { strict as assert } from 'node:assert';
import { fstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { deleteLink } from '../../src/shared/host/link-requests.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import { getLink, readLink } from '../../src/shared/host/read-links.ts';
import { EPERM, ERANGE, NETLINK_ROUTE, RTM_DELLINK, RTM_SETLINK } from '../../src/shared/netlink/constants.ts';
import { link } from '../../src/shared/netlink/link.ts';
import { NetlinkSocket, type Reply } from '../../src/shared/netlink/socket.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const EMSGSIZE = 90;

describe('netlink on a thread of the pool', () => {
  let host: LinuxHost;
  let netns: TestNetns;
  let ns: LinuxNamespace;
  let socket: NetlinkSocket;

  before(async function () {
    skipIf(this, netnsMissing());
    await stat('/');
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('async-');
    ns = host.open(netns.path);
    socket = ns.within(() => new NetlinkSocket(NETLINK_ROUTE));
  });
  afterEach(() => {
    socket?.[Symbol.dispose]();
    ns?.[Symbol.dispose]();
    netns?.[Symbol.dispose]();
  });
  after(() => host?.[Symbol.dispose]());

  const veth = (name: string): number => {
    netns.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `p${name}`);
    return readLink(ns, name)?.header.index ?? 0;
  };
  const internal = (error: unknown): boolean => error instanceof NetError && error.kind === 'internal';
  const brief = (replies: readonly Reply[]) => replies.map(({ errno, messages }) => [errno, messages.length]);

  it('does not block this thread or its other sockets while the kernel deletes a link', async () => {
    const index = veth('v0');
    let settled = false;
    let turns = 0;
    let read = 0;
    const replies = socket.exchangeAsync([deleteLink(index)]).finally(() => {
      settled = true;
    });
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      if (settled) break;
      turns += 1;
      if (readLink(ns, 'lo') !== undefined) read += 1;
    }
    assert.deepEqual(brief(await replies), [[0, 0]]);
    assert.ok(turns > 0);
    assert.equal(read, turns);
    assert.equal(readLink(ns, 'v0'), undefined);
  });

  it('answers like a synchronous exchange, in chunks and in order, in the namespace of the socket', async () => {
    netns.ip('link', 'add', 'only-here', 'type', 'bridge');
    const requests = Array.from({ length: 450 }, (_, i) => getLink({ name: i % 3 === 0 ? 'nothing' : 'only-here' }));
    const replies = await socket.exchangeAsync(requests);
    assert.deepEqual(
      brief(replies),
      requests.map((_, i) => (i % 3 === 0 ? [19, 0] : [0, 1])),
    );
    assert.deepEqual(brief(replies), brief(socket.exchange(requests)));
    assert.deepEqual(await socket.exchangeAsync([]), []);
  });

  it('reports the error of the kernel, and continues after it', async () => {
    const group0 = { type: RTM_DELLINK, payload: link.encode({ header: {}, attrs: { group: 0 } }) };
    const [lo, long, none, again] = await socket.exchangeAsync([
      getLink({ name: 'lo' }),
      getLink({ name: 'a-name-of-more-than-15-letters' }),
      group0,
      getLink({ name: 'lo' }),
    ]);
    assert.equal(lo?.messages.length, 1);
    assert.equal(long?.errno, ERANGE);
    assert.match(long?.text ?? '', /failed policy validation/);
    assert.equal(none?.errno, EPERM);
    assert.equal(again?.messages.length, 1);
  });

  it('runs exchanges one after the other, each with its own answers', async () => {
    for (const name of ['v0', 'v1', 'v2']) veth(name);
    const order: string[] = [];
    const all = ['v0', 'v1', 'nothing', 'v2'].map(async (name) => {
      const index = readLink(ns, name)?.header.index ?? 999;
      const [reply] = await socket.exchangeAsync([deleteLink(index)]);
      order.push(name);
      return reply?.errno;
    });
    assert.deepEqual(await Promise.all(all), [0, 0, 19, 0]);
    assert.deepEqual(order, ['v0', 'v1', 'nothing', 'v2']);
  });

  it('refuses synchronous use meanwhile, and allows it afterwards', async () => {
    const first = socket.exchangeAsync([deleteLink(veth('v0'))]);
    const second = socket.exchangeAsync([getLink({ name: 'lo' })]);
    assert.throws(() => socket.exchange([getLink({ name: 'lo' })]), internal);
    assert.throws(() => socket.dump(getLink({})), internal);
    await first;
    assert.throws(() => socket.exchange([getLink({ name: 'lo' })]), internal);
    await second;
    assert.deepEqual(brief(socket.exchange([getLink({ name: 'lo' })])), [[0, 1]]);
    assert.equal(socket.dump(getLink({})).length, 1);
  });

  it('finishes what it accepted when it is closed, then closes the descriptor', async () => {
    const first = socket.exchangeAsync([deleteLink(veth('v0'))]);
    const second = socket.exchangeAsync([getLink({ name: 'lo' })]);
    socket[Symbol.dispose]();
    await assert.rejects(socket.exchangeAsync([getLink({ name: 'lo' })]), internal);
    assert.throws(() => socket.exchange([getLink({ name: 'lo' })]), internal);
    assert.ok(fstatSync(socket.fd).isSocket());
    assert.deepEqual(brief(await first), [[0, 0]]);
    assert.deepEqual(brief(await second), [[0, 1]]);
    assert.throws(() => fstatSync(socket.fd), { code: 'EBADF' });
  });

  it('fails for a message that cannot be sent, and stays usable', async () => {
    const huge = { type: RTM_SETLINK, payload: new Uint8Array(512 * 1024) };
    const failed = socket.exchangeAsync([huge]);
    const next = socket.exchangeAsync([getLink({ name: 'lo' })]);
    await assert.rejects(
      failed,
      (error) => error instanceof NetError && error.kind === 'kernel' && error.errno === EMSGSIZE,
    );
    assert.deepEqual(brief(await next), [[0, 1]]);
  });
});
