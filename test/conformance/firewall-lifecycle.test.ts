import { strict as assert } from 'node:assert';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chain } from '../support/chain.ts';
import { type CniAnswer, type PluginDir, pluginDir } from '../support/cni.ts';
import { removeNetns } from '../support/netns.ts';
import { type Agent, assertTraffic } from '../support/traffic.ts';
import { VIA } from '../support/via.ts';
import { type Backend, choose, type Form, type Lab, makeLab, OUTSIDE, UPLINK, type Wanted } from './firewall-lab.ts';

const SETUPS: readonly (readonly [Form, Backend])[] = [
  ['isthmus', 'nftables'],
  ['isthmus', 'iptables'],
  ['bridge, portmap, firewall', 'nftables'],
  ['bridge, portmap, firewall', 'iptables'],
];
const PORTS = [{ hostPort: 8080 }, { hostPort: 5353, protocol: 'udp' }] as const;
const POD = { pod: 0 } as const;

/** How a pod goes, or what has happened by then. */
type Ending = (scene: Scene) => void;

interface Scene {
  readonly lab: Lab;
  readonly chain: Chain;
  readonly result: CniAnswer;
  /** The same network with changes. */
  readonly changed: (changes: Partial<Wanted>) => Chain;
  readonly form: Form;
  readonly backend: Backend;
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  'with prevResult': ({ chain, result }) => chain.del(POD, result),
  'without prevResult': ({ chain }) => chain.del(POD),
  'without CNI_NETNS': ({ chain }) => chain.del({ ...POD, netns: '' }),
  'with the namespace gone': ({ lab, chain }) => {
    removeNetns(lab.host.pod(0).name);
    chain.del(POD);
  },
  twice: ({ chain, result }) => {
    chain.del(POD, result);
    chain.del(POD);
  },
  'after the bridge was renamed in the configuration': ({ changed, form, backend }) =>
    changed({ bridge: { ...choose(form, backend).bridge, bridge: 'isth7' } }).del(POD),
  'after the subnet was changed': ({ changed }) => changed({ range: { subnet: '10.99.0.0/16' } }).del(POD),
  'after the backend was changed': ({ changed, form, backend }) =>
    changed(choose(form, backend === 'iptables' ? 'nftables' : 'iptables')).del(POD),
  'after ports and masquerading were taken out': ({ changed }) =>
    changed({ ports: [], bridge: { ipMasq: false } }).del(POD),
};

const LOSSES: Readonly<Record<string, (stateDir: string) => void>> = {
  deleted: (stateDir) => rmSync(stateDir, { recursive: true }),
  truncated: (stateDir) => {
    for (const file of ['state.db', 'state.db-wal']) truncateSync(join(stateDir, file), 0);
  },
};

/** A table of iptables-nft in which nothing is. */
const EMPTY_TABLE = /^table ip6? \w+ \{\n(\tchain [A-Z]+ \{\n\t\ttype .* policy accept;\n\t\}\n\n?)*\}\n/gm;

async function serveBoth(lab: Lab, index: number): Promise<Agent> {
  const agent = await lab.serve(index);
  await agent.serve('udp', 80);
  return agent;
}

/** The rules in one order: iptables puts them in the order of calls, where it does not matter. */
function sorted(rules: string): string {
  // A chain that has lost every jump of ours no longer counts as made for them, and an empty one stays.
  return rules
    .replaceAll(/(isthmus \w+\.\d) made"/g, '$1"')
    .split('\n')
    .sort()
    .join('\n');
}

/**
 * The two ways of calling together have all four pairs: how a call comes makes no difference to the rules. The
 * stand-alone plugin, whose calls cost five times as much, has one. ISTHMUS_FIREWALL=all does all pairs in both ways.
 */
const DONE = SETUPS.filter(([form, backend]) => {
  const isFirst = form === 'isthmus' && backend === 'nftables';
  return process.env.ISTHMUS_FIREWALL === 'all' || isFirst === (VIA === 'alone');
});

for (const [form, backend] of DONE) {
  describe(`the packet filter over the life of a pod: ${form}, ${backend}`, function () {
    this.timeout(60_000);
    let bin: PluginDir;
    /** Serves the tests until one of them failed or deleted more than pods. */
    let lab: Lab;
    let isFresh = false;
    let agents = new Map<number, Agent>();
    let asItWas: string;
    let rules: string;

    const chainOf = (changes: Partial<Wanted> = {}): Chain =>
      lab.chain(form, { dir: bin.path, ports: PORTS, ...choose(form, backend), ...changes });

    before(() => {
      bin = pluginDir();
    });
    after(() => {
      for (const one of [lab, bin]) one?.[Symbol.dispose]();
    });
    beforeEach(async () => {
      if (isFresh) return;
      lab?.[Symbol.dispose]();
      lab = await makeLab(2);
      agents = new Map();
      rules = lab.rules();
      const chain = chainOf();
      chain.add(POD);
      chain.del(POD);
      [asItWas, isFresh] = [lab.host.snapshot(), true];
    });
    afterEach(function () {
      if (this.currentTest?.state !== 'passed') isFresh = false;
      // A connection that is remembered is led where it was led before.
      if (isFresh) lab.host.ns.run('conntrack', '-F');
    });

    /** Serves TCP and UDP on 80 in the pod, as `pod<index>`, as long as the lab. */
    const serve = async (index: number): Promise<Agent> => {
      const agent = agents.get(index) ?? (await serveBoth(lab, index));
      agents.set(index, agent);
      return agent;
    };
    const flows = (): string => lab.host.ns.run('sh', '-c', 'conntrack -L -p udp 2>/dev/null || true');
    const speak = async (): Promise<Agent> => {
      const pod = await serve(0);
      await talk(pod);
      return pod;
    };
    const talk = async (pod: Agent): Promise<void> => {
      await assertTraffic([
        [lab.outsideAgent, { address: UPLINK, port: 8080 }, `pod0 saw ${OUTSIDE}`],
        [lab.outsideAgent, { protocol: 'udp', address: UPLINK, port: 5353 }, `pod0 saw ${OUTSIDE}`],
        [pod, { address: OUTSIDE, port: 80 }, `outside saw ${UPLINK}`],
      ]);
      assert.match(flows(), /dport=5353/);
    };
    const assertClean = (): void => {
      assert.equal(lab.rules(), rules);
      assert.doesNotMatch(flows(), /dport=5353/);
      assert.doesNotMatch(lab.host.ns.ip('-br', 'link'), /isth|ifb/);
      assert.doesNotMatch(lab.host.ns.run('tc', 'qdisc', 'show'), /tbf|ingress/);
    };

    for (const [title, end] of Object.entries(ENDINGS)) {
      it(`DEL ${title} leaves nothing`, async () => {
        if (title.includes('gone')) isFresh = false;
        const chain = chainOf();
        const result = chain.add(POD);
        chain.check(POD, result);
        await speak();
        end({ lab, chain, result, changed: chainOf, form, backend });
        assertClean();
        if (!title.includes('gone')) assert.equal(lab.host.snapshot(), asItWas);
      });
    }

    for (const [title, lose] of Object.entries(LOSSES)) {
      it(`DEL with the state ${title} leaves nothing of this pod or another`, () => {
        isFresh = false;
        const chain = chainOf();
        const other = chainOf({ ports: [{ hostPort: 8081 }] });
        for (const [pod, one] of [chain, other].entries()) one.add({ pod });
        lose(lab.host.stateDir);
        chain.del(POD);
        other.del({ pod: 1 });
        assertClean();
        chain.check(POD, chain.add(POD));
        chain.del(POD);
        assertClean();
      });
    }

    it('of two networks on one bridge, deleting one keeps what the other needs', async () => {
      const web = chainOf({ range: { subnet: '10.88.0.0/24', rangeEnd: '10.88.0.99' } });
      const bridge = { ...choose(form, backend).bridge, bridge: 'isth0' };
      const range = { subnet: '10.88.0.0/24', rangeStart: '10.88.0.100' };
      const db = chainOf({ network: 'db', bridge, range, ports: [{ hostPort: 8081 }] });
      for (const [first, last] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const chains = [web, db] as const;
        const results = chains.map((chain, pod) => chain.add({ pod }));
        const pods = [await serve(0), await serve(1)] as const;
        chains[first].del({ pod: first });
        chains[last].check({ pod: last }, results[last] ?? {});
        await assertTraffic([
          [lab.outsideAgent, { address: UPLINK, port: 8080 + first }, 'refused'],
          [lab.outsideAgent, { address: UPLINK, port: 8080 + last }, `pod${last}`],
          [pods[last], { address: OUTSIDE, port: 80 }, `outside saw ${UPLINK}`],
        ]);
        chains[last].del({ pod: last });
        assertClean();
      }
    });

    it('GC deletes the rules of unlisted attachments, and nothing else', async () => {
      const chain = chainOf();
      const [kept, alone] = [chain.add(POD), lab.rules()];
      const other = chainOf({ ports: [{ hostPort: 8081 }, { hostPort: 5354, protocol: 'udp' }] });
      other.add({ pod: 1 });
      await serve(0);
      const names = form.split(', ');
      for (const i of names.keys()) {
        const attachments = [{ containerID: 'pod0', ifname: 'eth0' }];
        const config = { ...chain.config(i), cniVersion: '1.1.0', 'cni.dev/valid-attachments': attachments };
        lab.host.ok({ dir: bin.path, name: names[i] ?? '', command: 'GC', config });
      }
      assert.equal(lab.rules(), alone);
      chain.check(POD, kept);
      await assertTraffic([[lab.outsideAgent, { address: UPLINK, port: 8080 }, 'pod0']]);
      other.add({ pod: 1 });
      other.del({ pod: 1 });
      chain.del(POD);
      assertClean();
    });

    it('CHECK reports rules that were flushed under traffic, and reload restores them', async () => {
      isFresh = false;
      const chain = chainOf();
      const result = chain.add(POD);
      const pod = await speak();
      const target = { address: UPLINK, port: 8080 };
      const flushes = ['nft flush ruleset', ...(backend === 'iptables' ? ['iptables -F; iptables -t nat -F'] : [])];
      for (const flush of flushes) {
        const before = lab.rules();
        const storm = lab.outsideAgent.storm(target, 400);
        lab.host.ns.run('sh', '-c', flush);
        assert.notEqual(lab.rules(), before);
        await storm;
        // A daemon hears of it and puts everything back by itself.
        if (VIA === 'daemon') await becomes(() => sorted(lab.rules()), sorted(before));
        else {
          await assertTraffic([[lab.outsideAgent, target, 'blocked']]);
          const { code, json } = chain.run(form === 'isthmus' ? 0 : 1, 'CHECK', POD, result);
          assert.deepEqual([code, json?.code], [1, 102], flush);
          assert.match(lab.reload(bin.path), /^put back \d+ entries of the packet filter\n/);
        }
        assert.equal(sorted(lab.rules()), sorted(before), flush);
        chain.check(POD, result);
        await talk(pod);
        const seen = await lab.outsideAgent.storm(target, 200);
        assert.deepEqual(Object.keys(seen), [`pod0 saw ${OUTSIDE}`]);
      }
      lab.reload(bin.path);
      chain.check(POD, result);
      chain.del(POD);
      // A flush of our jumps also flushes the mark that the chains they leave were made for us.
      assert.equal(lab.rules().replace(EMPTY_TABLE, ''), rules);
      assert.equal(lab.reload(bin.path), 'nothing to put back\n');
      assert.equal(lab.rules().replace(EMPTY_TABLE, ''), rules);
    });
  });
}

/** Resolves once `value` is what is wanted, or after ten seconds. */
async function becomes(value: () => string, wanted: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (value() !== wanted && Date.now() < end) await sleep(50);
}
