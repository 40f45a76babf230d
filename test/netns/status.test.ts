import { strict as assert } from 'node:assert';
import { type DoctorSite, makeDoctorSite, WEB } from '../support/doctor-site.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

describe('status on a real host', function () {
  this.timeout(60_000);
  let site: DoctorSite;

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    site = makeDoctorSite();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const status = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await site.verb('status', ...args);
    assert.equal(stderr, '');
    return `${code}\n${stdout}`;
  };

  it('shows an unused host, networks, endpoints, and problems', async () => {
    assert.match(
      await status(),
      /^0\nDaemon: +none \(nothing listens in [\s\S]*none yet: nothing has used it[\s\S]*No problems\.\n$/,
    );
    site.attach('c1');
    const well = await status();
    assert.match(well, /^0\n[\s\S]*nftables: all of \d+ entries are there[\s\S]*CNI 1; Docker 0/);
    assert.match(well, /^web +bridge +isth0 +1 +10\.88\.0\.0\/16 +1\/65533$/m);
    site.sh('nft flush ruleset', 'sysctl -q net.ipv4.ip_forward=0', 'ip link set isth0 down');
    const ill = await status();
    for (const words of [
      'forwarding is off \\(net\\.ipv4\\.ip_forward\\)',
      'network web: its device isth0 is down',
      'entries of the packet filter \\(nftables\\) are missing',
    ])
      assert.match(ill, new RegExp(`^1\\n(?:.*\\n)*! .*${words}`));
    assert.match(ill, /isthmus doctor tells the causes/);
    const info = JSON.parse((await status('-o', 'json')).slice(2));
    assert.deepEqual([info.ok, info.problems.length, info.daemon.state], [false, 4, 'absent']);
    assert.deepEqual(info.networks[0].subnets, [{ subnet: '10.88.0.0/16', size: 65_533, used: 1, free: 65_532 }]);
    assert.deepEqual(info.endpoints, [
      { camp: 'cni', ready: 1, unfinished: 0 },
      { camp: 'docker', ready: 0, unfinished: 0 },
    ]);
  });

  it('shows how many addresses a /64 has', async () => {
    site.attach('c1', { ...WEB, ipam: { ranges: [[{ subnet: 'fd66::/64' }]] } });
    assert.match(await status(), /^web +bridge +isth0 +1 +fd66::\/64 +1\/2\^64$/m);
    assert.match((await site.verb('topology')).stdout, / fd66::\/64, 1 of 2\^64 in use\n/);
  });

  it('shows what the daemon tells', async () => {
    using daemon = site.serve.start();
    await daemon.line(/event=daemon\.start/);
    const { stdout } = await site.verb('status');
    assert.match(
      stdout,
      new RegExp(
        `^Daemon: +version \\S+, pid ${daemon.pid}, since \\S+Z \\(\\d+ s\\); \\d+ MiB; calls: 0 running, 0 waiting; event loop`,
      ),
    );
    assert.match(stdout, new RegExp(`^Sockets: +cni ${site.serve.runDir}/cni\\.sock; docker `, 'm'));
    const info = JSON.parse((await status('-o', 'json')).slice(2));
    assert.deepEqual([info.daemon.pid, info.daemon.state, info.lastErrors], [daemon.pid, 'answers', []]);
  });

  it('fits a terminal of 40 columns, obeys NO_COLOR, and ends with its pipe', async () => {
    site.attach('c1', { ...WEB, name: 'a-network-with-a-longer-name' });
    site.sh('nft flush ruleset');
    for (const verb of ['status', 'doctor', 'check-path c1 host']) {
      const terminal = await site.terminal(40, verb);
      const words = (line: string): number =>
        Math.max(
          ...line
            .trim()
            .split(' ')
            .map((word) => word.length),
        );
      for (const line of terminal.split('\n')) assert.ok(line.length <= 40 || words(line) > 25, `${verb}: ${line}`);
      assert.ok(!terminal.includes('\u001b'), verb);
      assert.match(terminal, /\S/);
      assert.equal(await site.piped(`${verb} | head -n 1 | wc -l`), '1\n', verb);
    }
    const watched = await site.piped('status --watch --interval 0.1 | head -n 40 | grep -c Daemon');
    assert.ok(Number(watched) >= 2, watched);
  });

  it('refuses wrong usage', async () => {
    const { code, stderr } = await site.verb('status', '--watch', '--interval', '0');
    assert.deepEqual([code, stderr.includes('Give seconds from 0.1 to 86400.')], [2, true]);
    assert.match((await site.verb('status', '--help')).stdout, /Examples:\n {2}isthmus status\n/);
  });
});
