import { strict as assert } from 'node:assert';
import {
  addChained,
  type ChainedIdentity,
  checkChained,
  collectChained,
  deleteChained,
  type PartFacts,
} from '../../src/shared/core/endpoints/chained.ts';
import { findHostSide } from '../../src/shared/core/endpoints/orphans.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host } from '../../src/shared/host/host.ts';
import { ifbName } from '../../src/shared/model/attachment.ts';
import { hostIfOf } from '../../src/shared/model/endpoint.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import {
  add,
  attachmentOf,
  del,
  HOST_PATH,
  makeCore,
  makeFakeHost,
  OTHER,
  POD,
  refusedWith,
  type TestCore,
  type Which,
} from '../support/core.ts';

const RATES = { ingress: { rate: 8e6, burst: 8e5 }, egress: { rate: 8e6, burst: 8e5 } };

describe('core: part of a chained plugin', () => {
  let host: FakeHost;
  let disk: MemoryDisk;
  let core: TestCore;

  const part = (which: Which = {}): ChainedIdentity => ({ attachment: attachmentOf(which), role: 'bandwidth' });
  const limit = (which: Which = {}): Promise<void> => {
    const { netns = POD } = which;
    const { attachment } = part(which);
    return addChained(core, {
      ...part(which),
      netns,
      describe: (sandbox) => {
        const { name: hostIf, mtu } = findHostSide(core, sandbox, attachment.ifName, []);
        return { kind: 'bandwidth', shaping: { hostIf, ifb: ifbName(attachment), ...RATES, mtu } };
      },
    });
  };
  const unlimit = (which: Which = {}) => deleteChained(core, part(which), which.netns ?? POD);

  beforeEach(async () => {
    host = makeFakeHost();
    disk = new MemoryDisk();
    core = makeCore(host, disk);
    await add(core);
  });

  it('is created by ADD and deleted with everything it created', async () => {
    const before = host.toString();
    await limit();
    assert.match(host.toString(), /tbf rate 8000000bit/);
    await checkChained(core, part(), POD);
    assert.equal(core.store.endpoints.get(attachmentOf(), 'bandwidth')?.progress, 'ready');
    for (let round = 0; round < 2; round++) assert.deepEqual(await unlimit(), []);
    assert.equal(host.toString(), before);
    assert.equal(core.store.endpoints.get(attachmentOf(), 'bandwidth'), undefined);
    assert.notEqual(core.store.endpoints.get(attachmentOf(), 'interface'), undefined);
    assert.equal(core.taken.size, 0);
  });

  it('is rejected if it exists already', async () => {
    await limit();
    const before = host.toString();
    await assert.rejects(limit(), refusedWith('exists', /already has bandwidth on network web.*DEL first/));
    assert.equal(host.toString(), before);
    await checkChained(core, part(), POD);
  });

  it('leaves nothing behind if any step fails', async () => {
    const before = host.toString();
    const steps: Op['op'][] = ['tbf.add', 'link.create', 'redirect.add'];
    for (const name of steps) {
      const apply: Host['apply'] = (ops, namespaces) => {
        const at = ops.findIndex(({ op }) => op === name);
        host.apply(at < 0 ? ops : ops.slice(0, at), namespaces);
        if (at >= 0) throw new Error(`${name} was refused`);
      };
      core = makeCore(hostWith({ apply }), disk);
      await assert.rejects(limit(), new RegExp(`${name} was refused`));
      assert.equal(host.toString(), before);
      assert.equal(core.store.endpoints.get(attachmentOf(), 'bandwidth'), undefined);
    }
  });

  it('replaces what a crashed ADD left behind', async () => {
    await limit();
    const row = core.store.endpoints.get(attachmentOf(), 'bandwidth');
    assert.ok(row);
    core.store.endpoints.put({ ...row, progress: 'intent' });
    await limit();
    await checkChained(core, part(), POD);
    assert.deepEqual(await unlimit(), []);
    assert.doesNotMatch(host.toString(), /tbf|ifb/);
  });

  it('is void once its sandbox is gone: a new sandbox of the same name gets its own part', async () => {
    await limit();
    host.addNamespace(POD);
    assert.match(host.toString(), /ifb/);
    await del(core);
    await add(core);
    await limit();
    await checkChained(core, part(), POD);
    assert.equal(host.toString().match(/type ifb/g)?.length, 1);
  });

  it('does not restore in one sandbox what it changed in another', async () => {
    const describe = (): PartFacts => ({
      kind: 'tuning',
      wanted: { sysctls: [['net/ipv4/conf/eth0/arp_notify', '1']], link: {} },
      before: { sysctls: [['net/ipv4/ip_forward', '7']], link: {} },
    });
    await addChained(core, { attachment: attachmentOf(), role: 'tuning', netns: POD, describe });
    assert.deepEqual(await deleteChained(core, { attachment: attachmentOf(), role: 'tuning' }, OTHER), []);
    for (const path of [POD, OTHER]) {
      const { sysctls } = host.observe(host.open(path), { sysctls: ['net/ipv4/ip_forward'] });
      assert.notEqual(sysctls.get('net/ipv4/ip_forward'), '7');
    }
  });

  it('keeps its record when the revert fails, for the next DEL', async () => {
    await limit();
    const refusal = new NetError({ kind: 'busy', op: 'tbf.delete', subject: 'link', what: 'is in use' });
    const revert: Host['revert'] = (ops, namespaces) =>
      ops.some(({ op }) => op === 'tbf.delete') ? [refusal] : host.revert(ops, namespaces);
    core = makeCore(hostWith({ revert }), disk);
    assert.deepEqual(await unlimit(), [refusal]);
    assert.equal(core.store.endpoints.get(attachmentOf(), 'bandwidth')?.progress, 'intent');
    core = makeCore(host, disk);
    assert.deepEqual(await unlimit(), []);
    assert.doesNotMatch(host.toString(), /tbf|ifb/);
  });

  it("is rejected in the host's own namespace unless that is allowed", async () => {
    await assert.rejects(limit({ netns: HOST_PATH }), refusedWith('invalid-namespace', /host itself/));
  });

  it('fails CHECK without a record, half done, in another sandbox, or changed', async () => {
    const check = () => checkChained(core, part(), POD);
    await assert.rejects(check, refusedWith('drift', /no record of bandwidth/));
    await limit();
    await assert.rejects(() => checkChained(core, part(), OTHER), refusedWith('drift', /another namespace/));
    const row = core.store.endpoints.get(attachmentOf(), 'interface') ?? assert.fail();
    const hostIf = hostIfOf(row) ?? assert.fail();
    const bucket = { rate: 1e6, burst: 1e5, latency: 25 };
    host.apply([{ op: 'tbf.delete', ns: 'host', dev: hostIf, ...bucket }], { host: host.own });
    await assert.rejects(check, refusedWith('drift', new RegExp(`link ${hostIf}.*lost its limit`)));
    host.apply([{ op: 'tbf.add', ns: 'host', dev: hostIf, ...bucket, rate: 2e6 }], { host: host.own });
    await assert.rejects(check, refusedWith('drift', /limit of 2000000 bytes a second, expected 1000000/));
  });

  it('is collected if its attachment is not listed, without other roles of the attachment', async () => {
    await limit();
    await add(core, { id: 'b', netns: OTHER });
    await limit({ id: 'b', netns: OTHER });
    const garbage = { camp: 'cni', network: 'web', role: 'bandwidth', keep: [attachmentOf()] } as const;
    assert.deepEqual(await collectChained(core, garbage), []);
    const roles = core.store.endpoints.list('web').map(({ attachment, role }) => `${attachment.containerId} ${role}`);
    assert.deepEqual(roles, ['a bandwidth', 'a interface', 'b interface']);
    await checkChained(core, part(), POD);
  });

  it('is found from the host only by the other end of the interface', async () => {
    const row = core.store.endpoints.get(attachmentOf(), 'interface') ?? assert.fail();
    const hostIf = hostIfOf(row) ?? assert.fail();
    const sandbox = host.open(POD);
    for (const known of [[], [hostIf], ['nothing']]) {
      assert.equal(findHostSide(core, sandbox, 'eth0', known).name, hostIf);
    }
    assert.throws(() => findHostSide(core, sandbox, 'eth7', []), refusedWith('bad-environment', /CNI_IFNAME=eth7/));
    assert.throws(() => findHostSide(core, sandbox, 'lo', []), refusedWith('unsupported', /link lo.*no veth/));
  });

  /** The host, with some of its methods replaced. */
  function hostWith(changes: Partial<Host>): Host {
    return {
      identity: host.identity,
      own: host.own,
      open: (path) => host.open(path),
      observe: (ns, query) => host.observe(ns, query),
      apply: (ops, namespaces) => host.apply(ops, namespaces),
      revert: (ops, namespaces) => host.revert(ops, namespaces),
      ...changes,
    };
  }
});
