import { strict as assert } from 'node:assert';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniHost } from '../support/cni-host.ts';
import { type BridgeType, layer2Conf, type NetConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Caller, conf, defect } from './defect.ts';

const ONE_ADDRESS = [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.9', rangeEnd: '10.88.0.9' }]];

defect('D2', 'DEL when CNI_NETNS is a plain file (a bind mount that is gone)', {
  reference: (caller) => {
    const run = delWithPlainFile(caller);
    assert.equal(run.code, 1);
    assert.match(run.stdout, /unknown FS magic/);
    assert.deepEqual(leaseFiles(caller.host, 'web'), ['10.88.0.2']);
  },
  ours: (caller) => {
    const before = caller.host.snapshot();
    const run = delWithPlainFile(caller);
    assert.equal(run.code, 0, run.stdout);
    assertSame(caller.host.snapshot(), before);
  },
});

defect('D3', 'CHECK of a bridge without addresses', {
  reference: (caller) => {
    const run = checkLayer2(caller);
    assert.equal(run.code, 1);
    assert.equal(run.json?.msg, 'no plugin name provided');
  },
  ours: (caller) => {
    const run = checkLayer2(caller);
    assert.deepEqual({ code: run.code, stdout: run.stdout }, { code: 0, stdout: '' });
  },
});

defect('D5', 'an ADD that fails late', {
  pods: 2,
  reference: (caller) => {
    const { host, ...how } = caller;
    assert.notEqual(failLate(caller).code, 0);
    assert.match(host.pod(0).ip('-br', 'link'), /^eth0/m);
    host.ok({ ...how, command: 'DEL', pod: 0, config: conf(how, host) });
    const next = host.run({ ...how, command: 'ADD', pod: 1, config: conf(how, host) });
    assert.equal(next.code, 1);
    assert.match(next.json?.msg ?? '', /could not set bridge's mac/);
  },
  ours: (caller) => {
    const { host, ...how } = caller;
    const before = host.snapshot();
    const failed = failLate(caller);
    assert.notEqual(failed.code, 0);
    assert.match(failed.json?.msg ?? '', /203\.0\.113\.1/);
    assertSame(host.snapshot(), before);
    host.ok({ ...how, command: 'DEL', pod: 0, config: conf(how, host) });
    for (const pod of [0, 1]) host.ok({ ...how, command: 'ADD', pod, config: conf(how, host) });
    ping(host.pod(0), '10.88.0.1');
  },
});

defect('D8', 'what is not listed', {
  pods: 2,
  reference: {
    '1.1.1': (caller) => {
      const { code, json } = collectOne(caller);
      assert.equal(code, 1);
      assert.match(json?.msg ?? '', /unknown CNI_COMMAND/);
    },
    '1.9.1': (caller) => assert.equal(collectOne(caller).code, 0),
  },
  ours: ({ host, ...how }) => {
    const config = { ...conf(how, host), cniVersion: '1.1.0' };
    const before = host.snapshot();
    const kept = host.ok({ ...how, command: 'ADD', pod: 0, config });
    const withOne = host.snapshot();
    host.ok({ ...how, command: 'ADD', pod: 1, config });
    for (const key of ['cni.dev/valid-attachments', 'cni.dev/attachments']) {
      host.ok({ ...how, command: 'GC', config: { ...config, [key]: [{ containerID: 'pod0', ifname: 'eth0' }] } });
      assertSame(host.snapshot(), withOne);
      host.ok({ ...how, command: 'ADD', pod: 1, config });
    }
    host.ok({ ...how, command: 'CHECK', pod: 0, config: { ...config, prevResult: kept } });
    // libcni writes a Go slice without elements as null.
    host.ok({ ...how, command: 'GC', config: { ...config, 'cni.dev/valid-attachments': null } });
    assertSame(host.snapshot(), before);
  },
});

defect('D8', 'a foreign IPAM plugin', {
  reference: ({ host, ...how }) => {
    const recorder = installRecorder(host);
    const call = { ...how, path: recorder.path(how.dir) };
    const config = { ...recorder.config(how.name, host), cniVersion: '1.0.0' };
    host.ok({ ...call, command: 'ADD', pod: 0, config });
    host.run({ ...call, command: 'GC', config: { ...config, cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] } });
    assert.deepEqual(recorder.calls(), ['ADD']);
  },
  ours: ({ host, ...how }) => {
    const recorder = installRecorder(host);
    const call = { ...how, path: recorder.path(how.dir), config: recorder.config(how.name, host) };
    host.ok({ ...call, command: 'ADD', pod: 0 });
    host.ok({ ...call, command: 'GC', config: { ...call.config, 'cni.dev/valid-attachments': [] } });
    assert.deepEqual(
      recorder.calls().filter((one) => one === 'GC'),
      ['GC'],
    );
  },
});

defect('D9', 'an exhausted pool', {
  reference: {
    '1.1.1': (caller) => {
      const { code, json } = statusOfFullPool(caller);
      assert.equal(code, 1);
      assert.match(json?.msg ?? '', /unknown CNI_COMMAND/);
    },
    '1.9.1': (caller) => assert.equal(statusOfFullPool(caller).code, 0),
  },
  ours: ({ host, ...how }) => {
    const config = { ...conf(how, host, { ranges: ONE_ADDRESS }), cniVersion: '1.1.0' };
    assert.equal(host.run({ ...how, command: 'STATUS', config }).code, 0);
    host.ok({ ...how, command: 'ADD', pod: 0, config });
    const run = host.run({ ...how, command: 'STATUS', config });
    assert.equal(run.code, 1);
    assert.equal(run.json?.code, 50);
    assert.match(run.json?.msg ?? '', /10\.88\.0\.9|10\.88\.0\.0\/24/);
  },
});

defect('D17', 'a pod with masquerading', {
  reference: {
    '1.1.1': (caller) => {
      assert.equal(delWithNftables(caller).code, 0);
      assert.doesNotMatch(caller.host.ns.run('iptables', '-t', 'nat', '-S'), /MASQUERADE/);
    },
    '1.9.1': (caller) => {
      const { code, json } = delWithNftables(caller);
      assert.equal(code, 1);
      assert.match(json?.msg ?? '', /[Cc]hain .*CNI-.*does not exist/);
    },
  },
  ours: (caller) => {
    const before = caller.host.snapshot();
    const run = delWithNftables(caller);
    assert.equal(run.code, 0, run.stdout);
    assertSame(caller.host.snapshot(), before);
  },
});

defect('D20', 'the DEL of the only container', {
  reference: ({ host, ...how }) => {
    for (const command of ['ADD', 'DEL'] as const) host.ok({ ...how, command, pod: 0, config: conf(how, host) });
    assert.match(host.ns.ip('-br', 'link'), /^isth0 /m);
  },
  ours: ({ host, ...how }) => {
    const before = host.snapshot();
    for (const command of ['ADD', 'DEL'] as const) host.ok({ ...how, command, pod: 0, config: conf(how, host) });
    assertSame(host.snapshot(), before);
  },
});

function delWithPlainFile({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const config = conf(how, host);
  host.ok({ ...how, command: 'ADD', pod: 0, config });
  const netns = join(host.dataDir, '..', 'plain');
  writeFileSync(netns, '');
  return host.run({ ...how, command: 'DEL', pod: 0, netns, config });
}

function delWithNftables({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const config = conf(how, host, {}, { ipMasq: true, ipMasqBackend: 'nftables' });
  host.ok({ ...how, command: 'ADD', pod: 0, config });
  return host.run({ ...how, command: 'DEL', pod: 0, config });
}

/**
 * GC that lists nothing, beside one pod, whose address stays leased. It has the variables of a pod, without which 1.1.1
 * does not look at the command.
 */
function collectOne({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  host.ok({ ...how, command: 'ADD', pod: 0, config: conf(how, host) });
  const config = { ...conf(how, host), cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] };
  const run = host.run({ ...how, command: 'GC', pod: 0, config });
  assert.deepEqual(leaseFiles(host, 'web'), ['10.88.0.2']);
  return run;
}

/** STATUS, with the variables of a pod for the same reason. */
function statusOfFullPool({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const config = conf(how, host, { ranges: ONE_ADDRESS });
  host.ok({ ...how, command: 'ADD', pod: 0, config });
  return host.run({ ...how, command: 'STATUS', pod: 0, config: { ...config, cniVersion: '1.1.0' } });
}

function checkLayer2({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const config = layer2Conf(how.name);
  const prevResult = host.ok({ ...how, command: 'ADD', pod: 0, config });
  return host.run({ ...how, command: 'CHECK', pod: 0, config: { ...config, prevResult } });
}

/** The gateway of the route is not on the link: the kernel refuses it after everything else is done. */
function failLate({ host, ...how }: Caller): ReturnType<CniHost['run']> {
  const routes = [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }];
  return host.run({ ...how, command: 'ADD', pod: 0, config: conf(how, host, { routes }) });
}

function leaseFiles(host: CniHost, network: string): string[] {
  return readdirSync(join(host.dataDir, network)).filter((file) => /^\d+\./.test(file));
}

/** An IPAM plugin that allocates one fixed address and records the commands it gets. */
function installRecorder(host: CniHost): {
  path(dir: string): string;
  config(type: BridgeType, host: CniHost): NetConf;
  calls(): string[];
} {
  const dir = join(host.dataDir, '..', 'recorder');
  const log = join(dir, 'log');
  mkdirSync(dir);
  writeFileSync(
    join(dir, 'recorder'),
    `#!/bin/sh
echo "$CNI_COMMAND" >>${log}
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.99.0.7/24","gateway":"10.99.0.1"}]}'
[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}'
exit 0
`,
  );
  chmodSync(join(dir, 'recorder'), 0o755);
  writeFileSync(log, '');
  return {
    path: (plugins) => `${plugins}:${dir}`,
    config: (type) => ({ ...layer2Conf(type), cniVersion: '1.1.0', ipam: { type: 'recorder' } }),
    calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
  };
}
