import { existsSync } from 'node:fs';
import { FIREWALLD, type FirewalldSite, startFirewalld } from './firewalld.ts';
import { type Matrix, NO, UNCHANGED, UNPUBLISHED } from './matrix.ts';
import type { Surroundings } from './matrix-expected.ts';
import { kubeProxies } from './matrix-kube-proxy.ts';
import { type Backend, OUR_SUBNET } from './matrix-ours.ts';
import { shorewall } from './matrix-shorewall.ts';
import { makeReachSite, type ReachSite } from './matrix-site.ts';
import { ALL, assertAnswers, measureForeign, testReach } from './matrix-tests.ts';
import { skipIf } from './skip.ts';
import type { Daemon, TestHost } from './test-host.ts';

/** A firewall manager of Debian, which may come before our networks or after them. */
export interface Manager {
  readonly title: string;
  /** Its executable. */
  readonly file: string;
  /** Its rules are in force. */
  start(host: TestHost): Promise<void>;
  /** What it does while it runs. */
  readonly changes: Readonly<Record<string, (host: TestHost) => void>>;
  /** It has ended, and its rules drop nothing. */
  stop(host: TestHost): Promise<void>;
  /** False if its rules drop no traffic of the matrix; true by default. */
  readonly shuts?: boolean;
  /** False where it lets bridges out; true by default. */
  readonly dropsAll?: boolean;
  /** Pairs whose connections its rules accept, though it drops what is routed. */
  readonly accepted?: readonly string[];
  /** Foreign ends that it shuts out. */
  readonly banned?: readonly string[];
  /** Its rules are in a table of nftables with hooks of its own. */
  readonly tables?: boolean;
  /** Pods are in a zone that reaches the host's own ports. */
  readonly opensHost?: boolean;
}

/** Why the manager cannot be tested here, or undefined where it can. */
function managerMissing({ title, file }: Manager): string | undefined {
  return existsSync(file) ? undefined : `${file} is missing: install ${title}`;
}

const run = (host: TestHost, script: string): void => void host.run('sh', '-c', `set -e\n${script}`);

/** Drops what comes in, and what is routed, except to one port of one network of ours. */
const ufw: Manager = {
  title: 'ufw',
  file: '/usr/sbin/ufw',
  accepted: ['outside → o1 tcp4 unpublished', 'outside → o2 tcp4 unpublished'],
  async start(host) {
    run(host, `ufw route allow proto tcp from 192.0.2.9 to ${OUR_SUBNET} port ${UNPUBLISHED}; ufw --force enable`);
  },
  changes: { 'ufw reload': (host) => run(host, 'ufw reload') },
  stop: async (host) => run(host, 'ufw disable'),
};

/** With its backend nftables, it decides in a table of its own; our bridges are in its zone trusted. */
function makeFirewalld(backend: 'nftables' | 'iptables'): Manager {
  let site: FirewalldSite | undefined;
  const isNft = backend === 'nftables';
  return {
    title: isNft ? 'firewalld' : 'firewalld with its backend iptables',
    file: FIREWALLD,
    tables: isNft,
    opensHost: isNft,
    async start(host) {
      run(host, `sed -i 's/^FirewallBackend=.*/FirewallBackend=${backend}/' /etc/firewalld/firewalld.conf`);
      site = await startFirewalld(host);
    },
    changes: {
      'firewall-cmd --reload': (host) => run(host, 'firewall-cmd --reload'),
      'firewall-cmd --complete-reload': (host) => run(host, 'firewall-cmd --complete-reload'),
    },
    stop: async () => await site?.stop(),
  };
}

const JAIL = `[DEFAULT]
backend = polling
[sshd]
enabled = false
[guard]
enabled = true
filter = sshd
logpath = /var/log/guard.log
banaction = iptables-allports
protocol = all
chain = FORWARD
`;

/** The addresses of p2, which has been banned. Forwarding is off for all, so that our accepts are needed. */
const BANNED = ['10.221.2.2', 'fd00:221:2::2'];

function makeFail2ban(): Manager {
  let daemon: Daemon | undefined;
  return {
    title: 'fail2ban',
    file: '/usr/bin/fail2ban-server',
    banned: ['p2'],
    async start(host) {
      host.write('/etc/fail2ban/jail.local', JAIL);
      host.write('/var/log/guard.log', '');
      run(host, 'for t in iptables ip6tables; do $t -P FORWARD DROP; done');
      const isRunning = (): boolean => host.attempt(['fail2ban-client', 'ping']).code === 0;
      daemon = await host.start('fail2ban', ['fail2ban-server', '-f', 'start'], isRunning);
      host.run('fail2ban-client', 'set', 'guard', 'banip', ...BANNED);
      run(host, 'until iptables -S f2b-guard | grep -q REJECT; do sleep 0.05; done');
      run(host, 'until ip6tables -S f2b-guard | grep -q REJECT; do sleep 0.05; done');
    },
    changes: {},
    stop: async () => daemon?.stop(),
  };
}

const RULES = '/etc/iptables/rules';

/** As netfilter-persistent does at boot: what is in the table makes way for the administrator's rules. */
const persistent: Manager = {
  title: 'iptables-restore',
  file: '/usr/sbin/iptables-restore',
  async start(host) {
    const rules = ['*filter', ':INPUT ACCEPT', ':FORWARD DROP', ':OUTPUT ACCEPT', REPLIES, 'COMMIT', ''];
    host.write(RULES, rules.join('\n'));
    run(host, `for t in iptables ip6tables; do $t-restore <${RULES}; done`);
  },
  changes: { 'once more': (host) => run(host, `for t in iptables ip6tables; do $t-restore <${RULES}; done`) },
  stop: async (host) => run(host, 'for t in iptables ip6tables; do $t -P FORWARD ACCEPT; done'),
};

const REPLIES = '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';

/** The administrator accepts what has been translated: nobody can accept what another table drops. */
const CONFIGURATION = `flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state new ct status dnat accept
    iifname { "up0", "plain1" } ct state new drop
  }
}
`;

/** nftables.service: `flush ruleset` is the first line of Debian's own file. */
const nftables: Manager = {
  title: 'nftables.service',
  dropsAll: false,
  tables: true,
  file: '/usr/sbin/nft',
  async start(host) {
    host.write('/etc/nftables.conf', CONFIGURATION);
    host.run('nft', '-f', '/etc/nftables.conf');
  },
  changes: { reload: (host) => void host.run('nft', '-f', '/etc/nftables.conf') },
  stop: async (host) => void host.run('nft', 'flush', 'ruleset'),
};

/** By the file that tests them. */
export const MANAGERS = {
  services: [ufw, makeFail2ban()],
  firewalld: [makeFirewalld('nftables'), makeFirewalld('iptables')],
  shorewall: [shorewall],
  rules: [persistent, nftables, ...(ALL ? Object.values(kubeProxies) : [kubeProxies.iptables])],
} satisfies Readonly<Record<string, readonly Manager[]>>;

const BACKENDS: readonly Backend[] = ALL ? ['nftables', 'iptables'] : ['nftables'];

/** Tests of the manager before and after our networks. */
export function testManager(manager: Manager): void {
  describe(`who reaches whom beside ${manager.title}`, function () {
    this.timeout(180_000);
    let site: ReachSite;
    let without: Matrix = new Map();

    before('the matrix without our networks', async function () {
      skipIf(this, managerMissing(manager));
      site = await makeReachSite();
      await site.addPlainBridges(4);
      await manager.start(site.host);
      without = await measureForeign(site, `${manager.title}, without us`);
    });

    after('the test host', () => site?.[Symbol.asyncDispose]());

    it(`precondition: ${manager.shuts === false ? 'routes' : 'drops'} what comes from outside`, () => {
      if (manager.shuts === false) return assertAnswers(without, 'outside → p3 * unpublished', UNCHANGED);
      assertAnswers(without, 'outside → p3 * unpublished', NO);
      assertAnswers(without, 'p3 → node * unpublished', manager.dropsAll === false ? UNCHANGED : NO);
    });

    for (const backend of BACKENDS) {
      const { accepted = [], banned = [], tables = false, opensHost = false } = manager;
      const made = (): { site: ReachSite; surroundings: Surroundings } => ({
        site,
        surroundings: { backend, before: without, accepted, banned, tables, opensHost },
      });

      describe(`${manager.title} first, then our networks (${backend})`, () => {
        before('our networks', () => site.addOurs(backend));
        testReach(`${manager.title}, then us, ${backend}`, made);

        for (const [change, apply] of Object.entries(manager.changes)) {
          describe(change, () => {
            before(change, () => apply(site.host));
            testReach(`${manager.title}, then us, ${backend}, ${change}`, made);
          });
        }

        after('no network of ours', () => site.removeOurs());
      });

      describe(`our networks first (${backend}), then ${manager.title}`, () => {
        before('our networks, then the manager', async () => {
          await manager.stop(site.host);
          await site.addOurs(backend);
          await manager.start(site.host);
        });
        testReach(`we, ${backend}, then ${manager.title}`, made);
        after('no network of ours', () => site.removeOurs());
      });
    }
  });
}
