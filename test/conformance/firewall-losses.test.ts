import { strict as assert } from 'node:assert';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { until } from '../support/daemon-site.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { VIA } from '../support/via.ts';
import { type Backend, choose, FORMS, type Lab, makeLab, OUTSIDE, UPLINK, type Wanted } from './firewall-lab.ts';

const BACKENDS: readonly Backend[] = ['nftables', 'iptables'];
const PORTS = [{ hostPort: 8080 }];
/** What a configuration may change while pods of the network run, by the plugin that a list writes it in. */
const CHANGES = [
  {
    what: 'the policy',
    of: 'firewall',
    values: [{}, { ingressPolicy: 'same-bridge' }],
  },
  {
    what: 'the lack of a policy',
    of: 'firewall',
    values: [{ ingressPolicy: 'same-bridge' }, {}],
  },
  {
    what: 'the fixed source address',
    of: 'bridge',
    values: [{ outboundAddr4: '192.0.2.2' }, { outboundAddr4: '192.0.2.1' }],
  },
] as const;

describe('rules that another program deleted or loaded', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let lab: Lab;
  let dir: TempDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    dir = makeTempDir();
    lab = await makeLab(3);
  });
  afterEach(() => {
    lab?.[Symbol.dispose]();
    dir[Symbol.dispose]();
  });

  const chainOf = (backend: Backend, wanted: Partial<Wanted> = {}) =>
    lab.chain('isthmus', { dir: bin.path, ...choose('isthmus', backend), ...wanted });

  for (const backend of BACKENDS) {
    it(`${backend}: an ADD without ports puts back the ports and guards of every network after a flush`, () => {
      chainOf(backend, { ports: PORTS }).add({ pod: 0 });
      const other = chainOf(backend, { network: 'db' });
      other.add({ pod: 1 });
      const whole = lab.rules();
      other.del({ pod: 1 });
      lab.host.ns.run('nft', 'flush', 'ruleset');
      other.add({ pod: 1 });
      assert.deepEqual(sorted(lab.rules()), sorted(whole));
    });

    it(`${backend}: a reload keeps the port of a pod whose record was lost`, () => {
      chainOf(backend, { ports: PORTS }).add({ pod: 0 });
      for (const file of readdirSync(lab.host.stateDir)) rmSync(join(lab.host.stateDir, file));
      // Names the backend on record again.
      const other = chainOf(backend, { ports: [{ hostPort: 8081 }] });
      other.add({ pod: 1 });
      const rules = sorted(lab.rules());
      assert.ok(rules.some((line) => /\b8080\b/.test(line)));
      lab.reload(bin.path);
      assert.deepEqual(sorted(lab.rules()), rules);
    });

    for (const form of FORMS) {
      for (const change of CHANGES) {
        it(`${backend}, ${form}: a reload keeps ${change.what} that the last ADD asked for`, () => {
          const kinds = choose(form, backend);
          const [first, last] = change.values.map((value) => {
            const bridge = { ...kinds.bridge, ...(form === 'isthmus' || change.of === 'bridge' ? value : {}) };
            const firewall = { ...kinds.firewall, ...(change.of === 'firewall' ? value : {}) };
            return lab.chain(form, { dir: bin.path, ...kinds, bridge, firewall });
          });
          first?.add({ pod: 0 });
          const result = last?.add({ pod: 1 }) ?? {};
          const wanted = placed(lab.rules());
          lab.reload(bin.path);
          assert.deepEqual(placed(lab.rules()), wanted);
          lab.host.ns.run('nft', 'flush', 'ruleset');
          lab.reload(bin.path);
          assert.deepEqual(placed(lab.rules()), wanted);
          last?.check({ pod: 1 }, result);
          last?.del({ pod: 1 });
          first?.del({ pod: 0 });
          assert.doesNotMatch(lab.rules(), /isthmus/i);
        });
      }
    }

    for (const order of ['before', 'after']) {
      it(`${backend}: a network that is closed to others stays so beside an open one of its bridge that came ${order} it`, () => {
        const kinds = choose('isthmus', backend);
        const closed = chainOf(backend, { bridge: { ...kinds.bridge, ingressPolicy: 'isolated' } });
        const open = chainOf(backend, {
          network: 'db',
          bridge: { ...kinds.bridge, bridge: 'isth0', isGateway: false, ipMasq: false, ingressPolicy: 'open' },
        });
        closed.add({ pod: 2 });
        const wanted = placed(lab.rules());
        assert.match(wanted.join(), /"isth0"/);
        closed.del({ pod: 2 });
        const chains = order === 'before' ? [open, closed] : [closed, open];
        const results = chains.map((chain, pod) => chain.add({ pod }));
        const assertClosed = (): void => {
          assert.deepEqual(placed(lab.rules()), wanted);
          for (const [pod, chain] of chains.entries()) chain.check({ pod }, results[pod] ?? {});
        };
        assertClosed();
        lab.reload(bin.path);
        assertClosed();
        lab.host.ns.run('nft', 'flush', 'ruleset');
        lab.reload(bin.path);
        assertClosed();
        const pod = chains.indexOf(open);
        open.del({ pod });
        assert.deepEqual(placed(lab.rules()), wanted);
        open.add({ pod });
        assertClosed();
        closed.del({ pod: chains.indexOf(closed) });
        open.add({ pod: 2 });
        assert.doesNotMatch(placed(lab.rules()).join(), /isolation|-APART .*isth0/);
        lab.reload(bin.path);
        assert.doesNotMatch(placed(lab.rules()).join(), /isolation|-APART .*isth0/);
        open.del({ pod: 2 });
        open.del({ pod });
        assert.doesNotMatch(lab.rules(), /isthmus/i);
      });
    }

    it(`${backend}: datagrams that came while their port was lost reach the pod once it is back`, async () => {
      const { ns } = lab.host;
      // The kernel tracks connections while any program translates some.
      ns.run('nft', 'add table ip others; add chain ip others c { type nat hook postrouting priority 200; }');
      chainOf(backend, { ports: [{ hostPort: 8080, protocol: 'udp' }] }).add({ pod: 0 });
      const pod = await lab.serve(0);
      await pod.serve('udp', 80);
      const tables = backend === 'iptables' ? 'ip nat' : 'inet isthmus';
      ns.run('nft', 'delete', 'table', ...tables.split(' '));
      const flow = await lab.outsideAgent.open(UPLINK, 8080, 'udp');
      lab.reload(bin.path);
      assert.equal(await flow.exchange(), `pod0 saw ${OUTSIDE}`);
    });

    it(`${backend}: a DEL leaves chains of ours that rules of others jump to, and no rule in them`, () => {
      const chain = chainOf(backend, { ports: PORTS });
      lab.host.ns.run('iptables', '-P', 'FORWARD', 'DROP');
      chain.add({ pod: 0 });
      const jumps = /^-N (ISTHMUS\S+)/gm;
      const theirs = ['filter', 'mangle', 'nat', 'raw'].flatMap((table) => {
        const ours = [...lab.host.ns.run('iptables', '-t', table, '-S').matchAll(jumps)].map(([, name]) => name ?? '');
        if (ours.length === 0) return [];
        lab.host.ns.run('iptables', '-t', table, '-N', 'MINE');
        for (const name of ours) lab.host.ns.run('iptables', '-t', table, '-A', 'MINE', '-j', name);
        return [{ table, ours }];
      });
      assert.equal(theirs.length, backend === 'iptables' ? 4 : 1);
      chain.del({ pod: 0 });
      chain.add({ pod: 1 });
      chain.del({ pod: 1 });
      lab.reload(bin.path);
      for (const { table, ours } of theirs) {
        const rules = lab.host.ns.run('iptables', '-t', table, '-S').split('\n');
        assert.deepEqual(
          rules.filter((line) => line.startsWith('-A')),
          ours.map((name) => `-A MINE -j ${name}`),
        );
        lab.host.ns.run('iptables', '-t', table, '-F', 'MINE');
      }
      chain.add({ pod: 0 });
      chain.del({ pod: 0 });
      assert.doesNotMatch(lab.rules(), /isthmus/i);
    });

    it(`${backend}: entries without a record in the other backend go with a reload`, () => {
      const [ghost] = BACKENDS.filter((other) => other !== backend);
      saveGhost(ghost ?? assert.fail());
      assert.match(lab.rules(), /isthmus/i);
      const chain = chainOf(backend, { ports: PORTS, network: 'db' });
      chain.add({ pod: 1 });
      assert.ok(lab.rules().includes('8080'));
      lab.reload(bin.path);
      chain.del({ pod: 1 });
      assert.doesNotMatch(lab.rules(), /isthmus/i);
    });
  }

  it('CHECK sees that 127.0.0.1 does not reach a port once the bridge was deleted, and a reload mends it', async () => {
    const published = chainOf('nftables', { ports: PORTS });
    const result = published.add({ pod: 0 });
    lab.host.ns.ip('link', 'del', 'isth0');
    // Makes the bridge again, without what the ports of the other pod need.
    chainOf('nftables').add({ pod: 1 });
    const localnet = (): string => lab.host.ns.run('sysctl', '-n', 'net.ipv4.conf.isth0.route_localnet').trim();
    // A daemon hears of it and mends it by itself.
    if (VIA === 'daemon') await until(() => localnet() === '1', 'that 127.0.0.1 reaches the port');
    else {
      assert.equal(localnet(), '0');
      assert.equal(published.run(0, 'CHECK', { pod: 0 }, result).json?.code, 102);
      lab.reload(bin.path);
      assert.equal(localnet(), '1');
    }
    published.check({ pod: 0 }, result);
  });

  it('a reload with a network of each backend keeps what admits the devices of both', () => {
    for (const command of ['iptables', 'ip6tables']) lab.host.ns.run(command, '-P', 'FORWARD', 'DROP');
    chainOf('nftables').add({ pod: 0 });
    chainOf('iptables', { network: 'db' }).add({ pod: 1 });
    const whole = lab.rules();
    assert.match(whole, /isth0[\s\S]*isth1/);
    lab.reload(bin.path);
    assert.equal(lab.rules(), whole);
  });

  /** Leaves the rules of a pod that has no record. */
  function saveGhost(backend: Backend): void {
    const chain = chainOf(backend, { ports: PORTS });
    chain.add({ pod: 0 });
    const [save, restore] =
      backend === 'iptables' ? ['iptables-save', 'iptables-restore'] : ['nft -s list ruleset', 'nft -f'];
    const saved = lab.host.ns.run('sh', '-c', save ?? '');
    chain.del({ pod: 0 });
    const file = join(dir.path, 'saved');
    writeFileSync(file, saved);
    lab.host.ns.run('sh', '-c', `${restore} ${file}`);
  }
});

/** Without order: another order of calls gives another one. */
function sorted(rules: string): string[] {
  return rules.split('\n').sort();
}

/** The lines that only one policy of a bridge, and one masquerading of a subnet, has. */
function placed(rules: string): string[] {
  return sorted(rules).filter((line) => /APART|"isth0" : |"isth0" \. "isth0"|192\.0\.2\.\d/.test(line));
}
