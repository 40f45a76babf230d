import { strict as assert } from 'node:assert';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EEXIST, EINVAL, RTM_NEWLINK } from '../../src/shared/netlink/constants.ts';
import { link } from '../../src/shared/netlink/link.ts';
import type { Reply, Request } from '../../src/shared/netlink/socket.ts';
import { linkIndex } from '../../src/shared/netlink/sys.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { failure } from './host-fixture.ts';

/** Says of a name whether the kernel finds it taken. */
type IsTaken = (name: string) => boolean;

/** The namespace, as of a kernel that looks for the name of a new link in the namespace of the socket. */
function older(ns: LinuxNamespace, isTaken: IsTaken): LinuxNamespace {
  const exchange = (requests: readonly Request[]): Reply[] =>
    requests.flatMap((request) => {
      const { name, netnsFd } = (request.type === RTM_NEWLINK && link.decode(request.payload)?.attrs) || {};
      const isRefused = netnsFd !== undefined && name !== undefined && isTaken(name);
      return isRefused ? [{ errno: EEXIST, text: '', messages: [] }] : ns.route.exchange([request]);
    });
  return Object.create(ns, { route: { value: { fd: ns.route.fd, exchange } } });
}

function macvlan(name: string): Op {
  const kind = { kind: 'macvlan', dev: 'up0', devNs: 'host', mode: 'bridge' } as const;
  return { op: 'link.create', ns: 'sandbox', name, link: kind, mac: '02:00:00:00:00:11', alias: 'a pod', up: true };
}

describe('a kernel that looks for the name of a new link in the namespace of its parent', () => {
  let host: LinuxHost;
  let made: (TestNetns | LinuxNamespace)[];
  let outside: LinuxNamespace;
  let inside: LinuxNamespace;

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost();
  });
  after(() => host?.[Symbol.dispose]());
  beforeEach(() => {
    const [first, second] = [makeNetns('host-'), makeNetns('sandbox-')];
    [outside, inside] = [host.open(first.path), host.open(second.path)];
    made = [outside, inside, first, second];
    const peer = { ns: 'host', name: 'eth0' } as const;
    host.apply([{ op: 'link.create', ns: 'host', name: 'up0', link: { kind: 'veth', peer }, up: true }], {
      host: outside,
    });
  });
  afterEach(() => {
    for (const each of made) each[Symbol.dispose]();
  });

  const isInUse: IsTaken = (name) => linkIndex(outside.route.fd, name) !== undefined;
  const apply = (op: Op, isTaken: IsTaken): void =>
    host.apply([op], { host: older(outside, isTaken), sandbox: inside });
  const names = (ns: LinuxNamespace): string[] => [...host.observe(ns, { links: 'all' }).links.keys()].sort();

  it('gets another name first, then the link is complete', () => {
    apply(macvlan('eth0'), isInUse);
    const { mac, alias, up, kind } = host.observe(inside, { links: ['eth0'] }).links.get('eth0') ?? assert.fail();
    assert.deepEqual({ mac, alias, up, kind }, { mac: '02:00:00:00:00:11', alias: 'a pod', up: true, kind: 'macvlan' });
    assert.deepEqual(names(inside), ['eth0', 'lo']);
    assert.deepEqual(names(outside), ['eth0', 'lo', 'up0']);
  });

  it('gets no other name where the sandbox has that of the link', () => {
    apply(macvlan('eth0'), isInUse);
    failure(() => apply(macvlan('eth0'), isInUse), 'exists');
    assert.deepEqual(names(inside), ['eth0', 'lo']);
  });

  it('keeps no link that could not get its name', () => {
    failure(() => apply(macvlan('a/b'), (name) => name === 'a/b'), 'kernel', EINVAL);
    assert.deepEqual(names(inside), ['lo']);
    assert.deepEqual(names(outside), ['eth0', 'lo', 'up0']);
  });

  it('keeps no link that could not go up', () => {
    apply(macvlan('eth0'), isInUse);
    failure(() => apply(macvlan('eth1'), (name) => name === 'eth1'), 'kernel');
    assert.deepEqual(names(inside), ['eth0', 'lo']);
  });
});
