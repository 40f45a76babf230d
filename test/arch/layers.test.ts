import { strict as assert } from 'node:assert';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { circles, violations } from './layers.ts';

const ROOT = join(import.meta.dirname, '../..');
const TOP_LEVEL = new Set([
  ...[
    'README.md',
    'SECURITY.md',
    'LICENSE',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'biome.json',
    '.gitignore',
    '.ci',
  ],
  ...['cmd', 'docs', 'src', 'netconf-examples', 'test', 'build'],
]);
/** Top-level entries outside the tree: those in .gitignore, and git's own. */
const IGNORED = /^(\.git|node_modules|dist|coverage|.*\.log)$/;

/** A module, a forbidden import, and the reason. */
const PLANTED: readonly (readonly [file: string, source: string, why: RegExp])[] = [
  ['src/shared/model/addr.ts', "import { x } from '../errors/net-error.ts';", /model imports nothing/],
  ['src/shared/model/addr.ts', "import { x } from 'node:fs';", /model imports nothing/],
  ['src/shared/errors/catalog.ts', "import type { Host } from '../host/host.ts';", /host is above errors/],
  ['src/shared/log/log.ts', "export * from '../core/network-controller.ts';", /core is above log/],
  ['src/shared/netlink/codec.ts', "import {\n  a,\n  b,\n} from '../host/host.ts';", /host is above netlink/],
  ['src/shared/host/linux-host.ts', "import '../store/store.ts';", /store is above host/],
  ['src/shared/ipam/allocate.ts', "const x = await import('../core/execute.ts');", /core is above ipam/],
  ['src/shared/drivers/bridge/bridge.ts', "import { LinuxHost } from '../../host/linux-host.ts';", /only plan/],
  ['src/shared/drivers/bridge/bridge.ts', "import { observe } from '../../host/host.ts';", /only plan/],
  ['src/shared/drivers/bridge/bridge.ts', "import { send } from '../../netlink/socket.ts';", /only plan/],
  ['src/shared/drivers/null/null.ts', "import { readFileSync } from 'node:fs';", /only plan/],
  ['src/shared/host/linux-host.ts', "import { dlopen } from 'node:ffi';", /only src\/shared\/netlink\/sys.ts/],
  ['src/shared/host/linux-host.ts', "process.getBuiltinModule('node:ffi');", /only src\/shared\/netlink\/sys.ts/],
  ['src/shared/core/x.ts', "import { DatabaseSync } from 'node:sqlite';", /only src\/shared\/store/],
  ['src/shared/core/x.ts', "import { execa } from 'execa';", /await import/],
  ['src/shared/dhcp/client.ts', "import type { Core } from '../core/core.ts';", /core is above dhcp/],
  ['src/shared/netlink/x.ts', "import { decodeMessage } from '../dhcp/message.ts';", /dhcp is above netlink/],
  ['src/shared/ipam/x.ts', "const { default: C } = await import('ip-cidr');", /only src\/shared\/model\/prefix.ts/],
  ['src/shared/model/prefix.ts', "import IPCIDR from 'ip-cidr';", /await import/],
  ['src/shared/core/x.ts', "import { main } from '../../../cmd/cni-plugin/main.ts';", /nothing else imports/],
  ['cmd/cni-plugin/main.ts', "import { body } from '../cnm-shim/messages.ts';", /nothing else imports/],
  ['cmd/cnm-shim/daemon.ts', "import { about } from '../cni-plugin/about.ts';", /nothing else imports/],
  ['cmd/cnm-shim/daemon.ts', "import { x } from '../../src/shared/testing/fake-host.ts';", /for tests alone/],
  ['src/shared/runtime/context.ts', "import { x } from '../testing/memory-store.ts';", /for tests alone/],
  ['src/shared/core/core.ts', "import type { Environment } from '../runtime/environment.ts';", /runtime is above core/],
  ['src/shared/runtime/context.ts', "import { x } from '../../../cmd/cni-plugin/main.ts';", /nothing else imports/],
  ['src/shared/config/tuning.ts', "import { sysctlPath } from '../host/sysctl.ts';", /without a host/],
  ['src/shared/runtime/cni/add.ts', "import { field } from '../../model/json.ts';", /only the edge reads JSON/],
  ['src/shared/drivers/x.ts', "import type { Json } from '../model/json.ts';", /only the edge reads JSON/],
  ['cmd/cnm-shim/docker/network-driver.ts', "import { field } from '../../../src/shared/model/json.ts';", /the edge/],
  ['src/shared/core/x.ts', 'const x = JSON.parse(text);', /only the edge reads JSON/],
  ['cmd/cni-plugin/main.ts', "import { run } from '../../build/bundle.ts';", /not part of any layer/],
  ['src/shared/store/cluster/x.ts', "import { x } from '../etcd/open.ts';", /client of a cluster.*await import/],
  ['cmd/cnm-shim/x.ts', "export * from '../../src/shared/store/etcd/open.ts';", /client of a cluster.*await import/],
  ['src/shared/core/x.ts', "const http2 = await import('node:http2');", /only src\/shared\/store\/etcd/],
  ['src/shared/store/cluster/x.ts', "import { x } from '../zookeeper/open.ts';", /client of a cluster.*await import/],
  ['src/shared/store/zookeeper/x.ts', "import { x } from '../etcd/open.ts';", /client of a cluster.*await import/],
  ['src/shared/store/zookeeper/x.ts', "import z from 'node-zookeeper-client';", /client is loaded.*await import/],
  ['src/shared/core/x.ts', "import { BinaryReader } from '@bufbuild/protobuf/wire';", /only src\/shared\/store\/etcd/],
  ['src/shared/cluster/x.ts', "import { reconcile } from '../core/reconcile.ts';", /core is above cluster/],
  ['src/shared/store/x.ts', "import { Cluster } from '../cluster/cluster.ts';", /cluster is above store/],
  ['src/shared/cluster/ledger.ts', 'const x = JSON.parse(text);', /only the edge reads JSON/],
  [
    'src/shared/core/x.ts',
    "import { PluginClient } from '../remote/client.ts';",
    /Docker's plugins is loaded.*await import/,
  ],
  ['src/shared/remote/x.ts', "import { Core } from '../core/core.ts';", /core is above remote/],
  ['src/shared/remote/pools.ts', "import { field } from '../model/json.ts';", /only the edge reads JSON/],
];

/** Modules with allowed imports. */
const ALLOWED: readonly (readonly [file: string, source: string])[] = [
  ['src/shared/dhcp/sockets.ts', "import type { LinuxNamespace } from '../host/linux-namespace.ts';"],
  ['src/shared/store/cluster/open.ts', "const { openEtcd } = await import('../etcd/open.ts');"],
  ['src/shared/store/cluster/open.ts', "import type { EtcdOptions } from '../etcd/options.ts';"],
  ['src/shared/store/etcd/grpc/connection.ts', "import { connect } from 'node:http2';"],
  ['src/shared/store/zookeeper/library.ts', "return await import('node-zookeeper-client');"],
  ['src/shared/drivers/bridge/bridge.ts', "import type { View } from '../../host/host.ts';"],
  ['src/shared/netlink/sys.ts', "import { dlopen } from 'node:ffi';"],
  ['src/shared/store/locks.ts', "import { lockRange } from '../netlink/range-lock.ts';"],
  ['src/shared/ipam/allocate.ts', "import type { LocalStore } from '../store/store.ts';"],
  ['src/shared/core/delegate.ts', "const { execa } = await import('execa');"],
  ['src/shared/model/prefix.ts', "const { default: IPCIDR } = await import('ip-cidr');"],
  ['cmd/cnm-shim/cni/service.ts', "import { answer } from '../../../src/shared/runtime/cni/answer.ts';"],
  ['src/shared/runtime/make-core.ts', "import type { Core } from '../core/core.ts';"],
  ['src/shared/config/x.ts', "import { field } from '../model/json.ts';\nJSON.parse(text);"],
  ['cmd/cnm-shim/docker/wire/body.ts', "import { field } from '../../../../src/shared/model/json.ts';"],
  ['src/shared/core/x.ts', "const { PluginClient } = await import('../remote/client.ts');"],
  ['src/shared/core/x.ts', "import type { NetworkFacts } from '../remote/network.ts';"],
  ['src/shared/remote/answer.ts', "import { field } from '../model/json.ts';"],
  ['src/shared/testing/fake-host.ts', "import type { Host } from '../host/host.ts';"],
  ['src/shared/runtime/explain/dry-host.ts', "import { FakeHost } from '../../testing/fake-host.ts';"],
  [
    'cmd/cni-plugin/add.ts',
    "import { x } from '../../src/shared/core/x.ts';\n// import { y } from '../cnm-shim/y.ts';",
  ],
];

describe('layers', () => {
  it('are kept by every module, without import cycles', () => {
    const files = globSync('{src,cmd}/**/*.ts', { cwd: ROOT });
    assert.ok(files.length > 10, `only ${files.length} modules found below ${ROOT}`);
    const sources = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));
    assert.deepEqual(violations(sources), []);
    assert.deepEqual(circles(sources), []);
  });

  it('reject an import cycle, also one of types', () => {
    const files = {
      'a/a.ts': "import { b } from './b.ts';",
      'a/b.ts': "import { d } from '../c/d.ts';",
      'c/d.ts': "import type { B } from '../a/b.ts';",
      'c/e.ts': "import { a } from '../a/a.ts';",
    };
    assert.deepEqual(circles(new Map(Object.entries(files))), ['a/b.ts > c/d.ts > a/b.ts']);
  });

  for (const [file, source, why] of PLANTED)
    it(`reject ${JSON.stringify(source)} in ${file}`, () => {
      const found = violations(new Map([[file, source]]));
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', why);
    });

  for (const [file, source] of ALLOWED)
    it(`allow ${JSON.stringify(source)} in ${file}`, () => {
      assert.deepEqual(violations(new Map([[file, source]])), []);
    });
});

describe('source files', () => {
  it('have at most 250 lines', () => {
    const files = globSync('{src,cmd}/**/*.{ts,c,h}', { cwd: ROOT, exclude: ['**/*.generated.*'] });
    const long = files.flatMap((file) => {
      const lines = readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length;
      return lines > 250 ? [`${file}: ${lines}`] : [];
    });
    assert.deepEqual(long, []);
  });
});

describe('top level', () => {
  it('contains exactly the allowed entries', () => {
    const others = readdirSync(ROOT).filter((name) => !TOP_LEVEL.has(name) && !IGNORED.test(name));
    assert.deepEqual(others, []);
  });
});
