import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentOf } from '../../src/shared/config/document.ts';
import { formatSpec, type NetworkSpec } from '../../src/shared/config/network-spec.ts';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import type { NetworkRequest } from '../../src/shared/core/networks/create-network.ts';
import { specOf } from '../../src/shared/runtime/spec-of.ts';
import { environmentOf } from '../support/cni.ts';
import { type CniHost, type HostCall, makeHost } from '../support/cni-host.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { DOCKER } from '../support/kept-network.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { netnsMissing } from '../support/netns.ts';
import { ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';

const CHILD = join(import.meta.dirname, '../support/kept-child.ts');
/** One call of the plugin from source, that lives. */
const CALL = [join(import.meta.dirname, '../support/crash-child.ts'), '100000'];
const IPAM = { ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]], routes: [{ dst: '0.0.0.0/0' }] };

describe('a network that an operator created, in a real kernel', function () {
  this.timeout(60_000);
  let host: CniHost;
  let dir: string;
  let empty: string;
  let prefix: readonly string[];

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    host = makeHost(2, { via: 'alone' });
    dir = mkdtempSync(join(tmpdir(), 'isth-boot-'));
    prefix = boot();
    // The first call makes the state directory and the table of the packet filter, which stay.
    keep('create', request());
    keep('delete', request());
    empty = host.snapshot();
  });
  afterEach(() => {
    host?.[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Calls are made in a mount namespace where the kernel shows another boot id. */
  function boot(): readonly string[] {
    const file = join(dir, randomUUID());
    writeFileSync(file, `${randomUUID()}\n`);
    const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
    return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, file];
  }

  function run(script: readonly string[], env: NodeJS.ProcessEnv, input: unknown): string {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', ...script];
    const { status, stdout, stderr } = spawnSync('nsenter', [`--net=${host.ns.path}`, '--', ...prefix, ...node], {
      env: { ...env, ...COMPILE_CACHE, ISTHMUS_HOST_ID: 'kept-test' },
      input: JSON.stringify(input),
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  }

  function keep(verb: 'create' | 'delete' | 'start', input?: NetworkRequest): void {
    const env = { PATH: process.env.PATH, ISTHMUS_STATE_DIR: host.stateDir };
    const text = input && { ...input, spec: formatSpec(input.spec) };
    assert.equal(run([CHILD, verb], env, text ?? null), '');
  }

  function call(command: 'ADD' | 'DEL', pod: number, conf = {}): void {
    const how: HostCall = { dir: '/', name: 'isthmus', command, pod, config: configOf(conf) };
    run(CALL, environmentOf(host.call(how)), how.config);
  }

  function configOf(conf = {}): NetConf {
    return bridgeConf('isthmus', host, { conf: { ipMasq: true, ...conf }, ipam: IPAM });
  }

  /** Like Docker's networks: closed to others. */
  function request(conf = {}): NetworkRequest {
    const config = configOf(conf);
    const parsed = parsePlugin(documentOf(config), {
      ...{ plugin: 'isthmus', command: 'STATUS', args: '', ifName: '', version: '1.1.0' },
      isOwn: () => true,
    });
    assert.ok(parsed.kind === 'endpoint');
    const rules = {
      backend: 'nftables',
      options: { ...parsed.firewall, policy: 'closed' },
      mappings: [],
      admit: true,
    } as const;
    const spec: NetworkSpec = specOf('web', parsed, rules);
    return { name: 'web', holder: DOCKER, spec };
  }

  function elements(): string {
    return host.ns.run('nft', 'list', 'ruleset');
  }

  it('exists without pods, with its rules, outlives pods, and leaves nothing', () => {
    keep('create', request());
    const bare = host.snapshot();
    assert.match(host.ns.ip('-br', 'addr', 'show', 'isth0'), /10\.88\.0\.1\/24.*fd00:88::1\/64/);
    assert.match(elements(), /isth0/);
    for (const pod of [0, 1]) call('ADD', pod);
    ping(host.pod(0), '10.88.0.1');
    ping(host.pod(0), '10.88.0.3');
    for (const pod of [0, 1]) call('DEL', pod);
    assertSame(host.snapshot(), bare);
    keep('delete', request());
    assertSame(host.snapshot(), empty);
  });

  it('is deleted with its last pod once it is released', () => {
    call('ADD', 0);
    keep('create', request());
    keep('delete', request());
    ping(host.pod(0), '10.88.0.1');
    call('DEL', 0);
    assertSame(host.snapshot(), empty);
  });

  it('comes back with all its ports after its bridge was deleted', () => {
    const conf = { hairpinMode: true };
    keep('create', request(conf));
    for (const pod of [0, 1]) call('ADD', pod, conf);
    const ports = (): string[] => {
      const found = host.ns.ip('-d', 'link', 'show', 'master', 'isth0').match(/veth\w+|hairpin (on|off)/g) ?? [];
      return found.toSorted();
    };
    const before = [ports(), elements()];
    host.ns.ip('link', 'delete', 'isth0');
    keep('start');
    assert.deepEqual([ports(), elements()], before);
    ping(host.pod(0), '10.88.0.1');
    ping(host.pod(1), '10.88.0.2');
    ping(host.pod(0), 'fd00:88::1');
    for (const pod of [0, 1]) call('DEL', pod, conf);
    keep('delete', request());
    assertSame(host.snapshot(), empty);
  });

  it('comes back after a reboot, and can be deleted completely', () => {
    keep('create', request());
    const bare = [host.ns.ip('-br', 'addr', 'show', 'isth0').split(/\s+/).slice(1), elements()];
    host.ns.ip('link', 'delete', 'isth0');
    host.ns.run('nft', 'flush', 'ruleset');
    prefix = boot();
    keep('start');
    assert.deepEqual([host.ns.ip('-br', 'addr', 'show', 'isth0').split(/\s+/).slice(1), elements()], bare);
    call('ADD', 0);
    ping(host.pod(0), '10.88.0.1');
    call('DEL', 0);
    keep('delete', request());
    assertSame(host.snapshot(), empty);
  });

  it('keeps a bridge that existed before it', () => {
    host.ns.ip('link', 'add', 'isth0', 'up', 'type', 'bridge');
    const before = host.snapshot();
    keep('create', request());
    assert.notEqual(host.snapshot(), before);
    keep('delete', request());
    assertSame(host.snapshot(), before);
  });
});
