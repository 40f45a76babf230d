import { strict as assert } from 'node:assert';
import { parseSbr } from '../../src/shared/config/sbr.ts';
import { parseVrf } from '../../src/shared/config/vrf.ts';
import { addChained, checkChained, deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import { describeSbr } from '../../src/shared/drivers/sbr/sbr.ts';
import { TABLES_QUERY } from '../../src/shared/drivers/tables.ts';
import { describeVrf, vrfQuery } from '../../src/shared/drivers/vrf/vrf.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { Namespace } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { parseEndpoint } from '../../src/shared/store/bodies.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { addrOf, prefixOf } from '../support/addresses.ts';
import { attachmentOf, makeCore, makeFakeHost, POD, refusedWith, type TestCore } from '../support/core.ts';
import { deadAfter } from '../support/dead-host.ts';

const tryLock = () => ({ [Symbol.dispose]: () => {} });

describe('core: routing in the sandbox', () => {
  let host: FakeHost;
  let core: TestCore;
  let sandbox: Namespace;

  const run = (...ops: readonly Op[]): void => host.apply(ops, { host: host.own, sandbox });
  const makeLink = (name: string, net: number): void => {
    const [ns, address] = ['sandbox', `10.${net}.0.2/24`] as const;
    run(
      { op: 'link.create', ns, name, link: { kind: 'ifb' }, up: true },
      { op: 'addr.add', ns, dev: name, address },
      { op: 'addr.add', ns, dev: name, address: `fd0${net}::2/64`, noDad: true },
      { op: 'route.add', ns, route: { dst: '0.0.0.0/0', gateway: `10.${net}.0.1`, dev: name } },
      { op: 'route.add', ns, route: { dst: '::/0', gateway: `fd0${net}::1`, dev: name } },
      { op: 'route.add', ns, route: { dst: `10.6${net}.0.0/16`, gateway: `10.${net}.0.9`, dev: name } },
    );
  };
  const routesOf = (table: number, dev?: string): string[] =>
    host
      .observe(sandbox, { routes: true })
      .routes.filter((route) => (route.table ?? 254) === table && (dev === undefined || route.dev === dev))
      .map(({ dst, gateway = 'on-link', source = '' }) => `${dst} ${gateway} ${source}`.trim())
      .sort();
  const rulesOf = (): string[] =>
    host
      .observe(sandbox, { rules: true })
      .rules.flatMap(({ from, table }) => (from === undefined ? [] : [`${from} ${table}`]));

  beforeEach(() => {
    host = makeFakeHost();
    core = makeCore(host);
    sandbox = host.open(POD);
    makeLink('net1', 1);
  });

  describe('sbr', () => {
    const addSbr = (keys: object = {}, ifName = 'net1', on = core, net = 1): Promise<void> =>
      addChained(on, {
        ...{ attachment: attachmentOf({ ifName }), role: 'sbr', netns: POD },
        describe: (ns) => {
          const addresses = [
            { address: prefixOf(`10.${net}.0.2/24`), gateway: addrOf(`10.${net}.0.1`) },
            { address: prefixOf(`fd0${net}::2/64`), gateway: addrOf(`fd0${net}::1`) },
          ];
          const view = host.observe(ns, TABLES_QUERY);
          return { kind: 'sbr', sbr: describeSbr(parseSbr({ ...keys }), { addresses, routes: [] }, ifName, view, []) };
        },
      });
    const delSbr = (netns = POD, ifName = 'net1'): Promise<NetError[]> =>
      deleteChained(core, { attachment: attachmentOf({ ifName }), role: 'sbr' }, netns);

    it('routes each address by a table of its family, and puts the main table back', async () => {
      const before = routesOf(254);
      for (let round = 0; round < 2; round++) {
        await addSbr();
        assert.deepEqual(rulesOf(), ['10.1.0.2/32 100', 'fd01::2/128 101']);
        assert.deepEqual(routesOf(100), [
          '0.0.0.0/0 10.1.0.1',
          '10.1.0.0/24 on-link 10.1.0.2',
          '10.61.0.0/16 10.1.0.9',
        ]);
        assert.deepEqual(routesOf(101), ['::/0 fd01::1', 'fd01::/64 on-link']);
        assert.deepEqual(routesOf(254), []);
        await checkChained(core, { attachment: attachmentOf({ ifName: 'net1' }), role: 'sbr' }, POD);
        assert.deepEqual([...(await delSbr()), ...(await delSbr())], []);
        assert.deepEqual([routesOf(254), routesOf(100), routesOf(101), rulesOf()], [before, [], [], []]);
      }
    });

    it('leaves link-local routes in the main table', async () => {
      const route = {
        op: 'route.add',
        ns: 'sandbox',
        route: { dst: 'fe80::/64', dev: 'net1', priority: 256 },
      } as const;
      run(route);
      await addSbr();
      assert.deepEqual(routesOf(254), ['fe80::/64 on-link']);
    });

    it('takes the next free tables for another interface', async () => {
      makeLink('net2', 2);
      await addSbr();
      await addSbr({}, 'net2', core, 2);
      assert.deepEqual(rulesOf(), ['10.2.0.2/32 102', '10.1.0.2/32 100', 'fd02::2/128 103', 'fd01::2/128 101']);
      assert.deepEqual(await delSbr(), []);
      assert.deepEqual(rulesOf(), ['10.2.0.2/32 102', 'fd02::2/128 103']);
    });

    it('adds rules only with a table, other gateways and source hints if asked', async () => {
      await addSbr({ table: 7 });
      assert.deepEqual(rulesOf(), ['10.1.0.2/32 7', 'fd01::2/128 7']);
      assert.equal(routesOf(254).length, 5);
      assert.deepEqual(await delSbr(), []);
      await addSbr({ gateways: ['10.1.0.254'], addSourceHints: true });
      assert.deepEqual(routesOf(100), [
        '0.0.0.0/0 10.1.0.254 10.1.0.2',
        '10.1.0.0/24 on-link 10.1.0.2',
        '10.61.0.0/16 10.1.0.9 10.1.0.2',
      ]);
      assert.deepEqual(routesOf(101), ['::/0 fd01::1 fd01::2', 'fd01::/64 on-link fd01::2']);
    });

    it('DEL succeeds without a namespace, with the link down, and with the link gone', async () => {
      await addSbr();
      assert.deepEqual(await delSbr(''), []);
      assert.deepEqual(rulesOf(), [], 'the namespace is on record');
      await addSbr();
      run({ op: 'link.set', ns: 'sandbox', name: 'net1', set: { up: false } });
      assert.deepEqual(await delSbr(), []);
      assert.deepEqual(rulesOf(), []);
      run({ op: 'link.delete', ns: 'sandbox', name: 'net1' });
      makeLink('net1', 1);
      await addSbr();
      run({ op: 'link.delete', ns: 'sandbox', name: 'net1' });
      assert.deepEqual(await delSbr(), []);
      assert.deepEqual(rulesOf(), []);
    });

    it('CHECK misses a rule and a route', async () => {
      await addSbr();
      const check = () => checkChained(core, { attachment: attachmentOf({ ifName: 'net1' }), role: 'sbr' }, POD);
      run({ op: 'rule.delete', ns: 'sandbox', rule: { family: 4, from: '10.1.0.2/32', table: 100 } });
      await assert.rejects(check(), refusedWith('drift', /rule from 10\.1\.0\.2\/32/));
      run({ op: 'route.delete', ns: 'sandbox', route: { dst: '::/0', dev: 'net1', table: 101 } });
      await assert.rejects(check(), refusedWith('drift', /route ::\/0/));
    });

    it('is undone by the daemon after a call that dies between any two steps', async () => {
      const before = [routesOf(254), rulesOf()];
      for (let n = 0; ; n++) {
        const isDone = await addSbr({}, 'net1', { ...core, host: deadAfter(host, n) }).then(
          () => true,
          () => false,
        );
        if (isDone) break;
        assert.deepEqual((await reconcile(core, { tryLock })).errors, [], `step ${n}`);
        assert.deepEqual([routesOf(254), rulesOf(), routesOf(100), routesOf(101)], [...before, [], []], `step ${n}`);
      }
    });

    it('has a row that can be read', async () => {
      await addSbr();
      const row = core.store.endpoints.get(attachmentOf({ ifName: 'net1' }), 'sbr');
      assert.deepEqual(parseEndpoint(JSON.stringify(row)), JSON.parse(JSON.stringify(row)));
    });
  });

  describe('vrf', () => {
    const addVrf = (keys: object = { vrfname: 'blue' }, ifName = 'net1', on = core): Promise<void> =>
      addChained(on, {
        ...{ attachment: attachmentOf({ ifName }), role: 'vrf', netns: POD },
        describe: (ns) => ({
          kind: 'vrf',
          vrf: describeVrf(parseVrf({ ...keys }), ifName, host.observe(ns, vrfQuery(ifName))),
        }),
      });
    const delVrf = (netns = POD, ifName = 'net1'): Promise<NetError[]> =>
      deleteChained(core, { attachment: attachmentOf({ ifName }), role: 'vrf' }, netns);
    const linkOf = (name: string) => host.observe(sandbox, { links: [name] }).links.get(name);
    /** Without sysctls that have the kernel's own value. */
    const lines = (): string[] =>
      host
        .toString()
        .split('\n')
        .filter((line) => !line.endsWith('keep_addr_on_down=0'))
        .sort();
    const addressesOf = (): string[] =>
      host.observe(sandbox, { addresses: ['net1'] }).addresses.map(({ address }) => address);

    it('makes the VRF for the first member, and deletes it with the last', async () => {
      makeLink('net2', 2);
      const before = lines();
      await addVrf();
      await addVrf({ vrfname: 'blue', table: 1 }, 'net2');
      assert.deepEqual([linkOf('blue')?.vrf?.table, linkOf('blue')?.up], [1, true]);
      assert.deepEqual([linkOf('net1')?.master, linkOf('net2')?.master], ['blue', 'blue']);
      await checkChained(core, { attachment: attachmentOf({ ifName: 'net2' }), role: 'vrf' }, POD);
      assert.deepEqual([...(await delVrf()), ...(await delVrf())], []);
      assert.equal(linkOf('blue')?.kind, 'vrf');
      assert.deepEqual(await delVrf(POD, 'net2'), []);
      assert.deepEqual(lines(), before);
    });

    it('keeps the addresses, and moves the routes of both families', async () => {
      const [addresses, routes] = [addressesOf(), routesOf(254)];
      await addVrf({ vrfname: 'blue', table: 100 });
      assert.deepEqual(addressesOf(), addresses);
      assert.deepEqual([routesOf(100), routesOf(254)], [routes, []]);
      assert.deepEqual(await delVrf(), []);
      assert.deepEqual([addressesOf(), routesOf(254), routesOf(100)], [addresses, routes, []]);
    });

    it('joins a VRF that was there, and leaves it', async () => {
      run({ op: 'link.create', ns: 'sandbox', name: 'red', link: { kind: 'vrf', table: 30 }, up: true });
      await addVrf({ vrfname: 'red' });
      assert.equal(linkOf('net1')?.vrfTable, 30);
      assert.deepEqual(await delVrf(), []);
      assert.equal(linkOf('red')?.kind, 'vrf');
    });

    it('refuses another table, another kind of interface, and one that has a master', async () => {
      run({ op: 'link.create', ns: 'sandbox', name: 'red', link: { kind: 'vrf', table: 30 }, up: true });
      const before = host.toString();
      await assert.rejects(addVrf({ vrfname: 'red', table: 31 }), refusedWith('invalid-config', /has table 30/));
      await assert.rejects(addVrf({ vrfname: 'net1' }), refusedWith('invalid-config', /of kind ifb/));
      assert.equal(host.toString(), before);
      await addVrf({ vrfname: 'red' });
      await assert.rejects(
        addChained(core, {
          ...{ attachment: attachmentOf({ ifName: 'net1', network: 'other' }), role: 'vrf', netns: POD },
          describe: (ns) => ({
            kind: 'vrf',
            vrf: describeVrf(parseVrf({ vrfname: 'blue' }), 'net1', host.observe(ns, vrfQuery('net1'))),
          }),
        }),
        refusedWith('conflict', /member of red/),
      );
    });

    it('CHECK misses the membership', async () => {
      await addVrf();
      run({ op: 'link.set', ns: 'sandbox', name: 'net1', set: { master: null } });
      const check = checkChained(core, { attachment: attachmentOf({ ifName: 'net1' }), role: 'vrf' }, POD);
      await assert.rejects(check, refusedWith('drift', /net1.*blue/));
      assert.deepEqual(await delVrf(), []);
      assert.equal(linkOf('blue'), undefined);
    });

    it('is undone by the daemon after a call that dies between any two steps', async () => {
      const before = lines();
      for (let n = 0; ; n++) {
        const isDone = await addVrf(undefined, 'net1', { ...core, host: deadAfter(host, n) }).then(
          () => true,
          () => false,
        );
        if (isDone) break;
        assert.deepEqual((await reconcile(core, { tryLock })).errors, [], `step ${n}`);
        assert.deepEqual(lines(), before, `step ${n}`);
      }
      assert.deepEqual(await delVrf(''), []);
      assert.deepEqual(lines(), before);
    });

    it('has a row that can be read', async () => {
      await addVrf();
      const row = core.store.endpoints.get(attachmentOf({ ifName: 'net1' }), 'vrf');
      assert.deepEqual(parseEndpoint(JSON.stringify(row)), JSON.parse(JSON.stringify(row)));
    });
  });
});
