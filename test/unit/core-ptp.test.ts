import { strict as assert } from 'node:assert';
import type { DelegateSource } from '../../src/shared/core/core.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { addrOf, prefixOf, routeOf } from '../support/addresses.ts';
import { attachmentOf, delRequest, OTHER, refusedWith, type Which } from '../support/core.ts';
import { fixedAt, makePtpScene, type PtpScene, ptpRules, WEB } from '../support/ptp.ts';

const HOST_IF = hostIfName(attachmentOf());
const SECOND: Which = { id: 'b', netns: OTHER };

describe('core: driver ptp', () => {
  let scene: PtpScene;
  beforeEach(() => {
    scene = makePtpScene();
  });

  it('reports the host side, then the interface in the sandbox, and the addresses of IPAM', async () => {
    const { interfaces, addresses, routes } = await scene.add();
    assert.deepEqual(
      interfaces.map(({ name, mtu, inSandbox }) => [name, mtu, inSandbox]),
      [
        [HOST_IF, 1500, false],
        ['eth0', 1500, true],
      ],
    );
    assert.deepEqual(
      addresses.map(({ address, gateway }) => [formatPrefix(address), gateway && formatAddr(gateway)]),
      [
        ['10.7.0.2/24', '10.7.0.1'],
        ['fd07::2/64', 'fd07::1'],
      ],
    );
    assert.deepEqual(routes, [routeOf('0.0.0.0/0'), routeOf('::/0')]);
    const text = scene.host.toString();
    assert.match(text, new RegExp(`^ip addr add 10\\.7\\.0\\.1/32 dev ${HOST_IF}$`, 'm'));
    assert.match(text, new RegExp(`^ip route prepend 10\\.7\\.0\\.2/32 dev ${HOST_IF} scope host$`, 'm'));
    assert.doesNotMatch(text, /master/);
  });

  it('leaves nothing after the last DEL, and only the DEL of its own before', async () => {
    await scene.add({}, { rules: ptpRules({ mappings: [WEB] }) });
    const one = scene.host.toString();
    const entries = scene.filter.list();
    await scene.add(SECOND, { rules: ptpRules() });
    assert.deepEqual(await scene.del(SECOND), []);
    assert.equal(scene.host.toString(), one);
    assert.deepEqual(scene.filter.list(), entries);
    assert.deepEqual(await scene.del(), []);
    scene.nothingIsLeft();
  });

  it('deletes everything where CNI_NETNS is empty, or leads nowhere', async () => {
    for (const netns of ['', '/run/netns/gone']) {
      await scene.add({}, { rules: ptpRules({ mappings: [WEB] }) });
      assert.deepEqual(await deleteEndpoint(scene.core, { ...delRequest({}, scene.host.identity), netns }), []);
      scene.nothingIsLeft();
    }
  });

  it('attaches without IPAM: both ends are up and have no address', async () => {
    const { addresses } = await scene.add({}, { source: null });
    assert.deepEqual(addresses, []);
    assert.doesNotMatch(scene.host.toString(), /addr add|route|addrgenmode/);
    assert.deepEqual(await scene.del(), []);
    scene.nothingIsLeft();
  });

  it('attaches an address without a gateway, and a single one with a gateway outside', async () => {
    await scene.add({}, { source: fixedAt(['10.8.0.2/24']) });
    assert.match(
      scene.host.toString(),
      new RegExp(`^ip route prepend 10\\.8\\.0\\.2/32 dev ${HOST_IF} scope host$`, 'm'),
    );
    await scene.add(SECOND, { source: fixedAt(['10.8.0.3/32 169.254.1.1'], [{ dst: '0.0.0.0/0' }]) });
    assert.match(scene.host.toString(), /^ip -n other route prepend default via 169\.254\.1\.1 dev eth0$/m);
    assert.deepEqual([...(await scene.del()), ...(await scene.del(SECOND))], []);
    scene.nothingIsLeft();
  });

  it('refuses an address that another endpoint has, and leaves that one alone', async () => {
    await scene.add({}, { source: fixedAt(['10.8.0.2/24 10.8.0.1']) });
    const one = scene.host.toString();
    const again = scene.add({ ...SECOND, network: 'other' }, { source: fixedAt(['10.8.0.2/24 10.8.0.1']) });
    await assert.rejects(again, refusedWith('exists', /10\.8\.0\.2\/32/));
    assert.equal(scene.host.toString(), one);
    assert.deepEqual(await scene.del(), []);
    scene.nothingIsLeft();
  });

  for (const [title, refused] of Object.entries({
    'the packet filter': 'port',
    'the rules of its device': 'hairpin',
  })) {
    it(`leaves nothing of an ADD that fails at ${title}`, async () => {
      scene.filter.refuse = ({ kind }, how) => how === 'add' && kind === refused;
      await assert.rejects(
        scene.add({}, { rules: ptpRules({ mappings: [WEB] }) }),
        refusedWith('kernel', /chosen to fail/),
      );
      scene.filter.refuse = () => false;
      scene.nothingIsLeft();
    });
  }

  describe('with a delegate', () => {
    let released = 0;
    const delegate = (acquire: DelegateSource['acquire']): DelegateSource => ({
      ...{ kind: 'delegate', type: 'foreign', config: '{}', acquire },
      release: async () => void released++,
      check: async () => {},
      status: async () => {},
      collect: async () => {},
    });
    beforeEach(() => {
      released = 0;
    });

    it('asks once both ends are up, and gives the host side its addresses then', async () => {
      let isUp = false;
      const source = delegate(async () => {
        const { links } = scene.host.observe(scene.host.own, { links: [HOST_IF] });
        isUp = links.get(HOST_IF)?.up === true;
        const [v4, v6] = [prefixOf('10.7.0.9/24'), prefixOf('fd07::9/64')];
        const addresses = [
          { address: v4, gateway: addrOf('10.7.0.1') },
          { address: v6, gateway: addrOf('fd07::1') },
        ];
        return { addresses, routes: [routeOf('0.0.0.0/0')], dns: {} };
      });
      scene.core.delegates.set('foreign', source);
      await scene.add({}, { source, rules: ptpRules() });
      assert.equal(isUp, true);
      const { addresses } = scene.host.observe(scene.host.own, { addresses: [HOST_IF] });
      assert.deepEqual(addresses.map(({ address }) => address).slice(1), ['10.7.0.1/32', 'fd07::1/128']);
      assert.deepEqual(await deleteEndpoint(scene.core, delRequest({}, scene.host.identity, source)), []);
      assert.equal(released, 1);
      scene.nothingIsLeft();
    });

    it('leaves nothing of an ADD whose delegate fails', async () => {
      const source = delegate(async () => {
        throw new NetError({ kind: 'unavailable', op: 'ipam', subject: 'foreign', what: 'has no address' });
      });
      scene.core.delegates.set('foreign', source);
      await assert.rejects(scene.add({}, { source, rules: ptpRules() }), refusedWith('unavailable', /has no address/));
      assert.equal(released, 1);
      scene.nothingIsLeft();
    });
  });
});
