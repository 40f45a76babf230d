import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundled } from './bundled.ts';
import { type CniAnswer, expectOk, type PluginCall, type PluginRun, runPlugin, runPluginAsync } from './cni.ts';
import { COMPILE_CACHE } from './compile-cache.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { makeServeSite, type ServeSite } from './serve.ts';
import type { VerbRun } from './verbs.ts';

const ROOT = join(import.meta.dirname, '../..');
const DIST = join(ROOT, 'dist');
const VERBS = join(ROOT, 'cmd/cnm-shim/main.ts');

/** What `doctor -o json` prints. */
export interface DoctorReport {
  readonly ok: boolean;
  readonly findings: readonly {
    readonly rule: string;
    readonly level: string;
    readonly subject: string;
    readonly what: string;
    readonly cure: string;
  }[];
  readonly fixed?: readonly string[];
}

/** A host with an uplink to a namespace outside, directories of its own, and containers that calls attach. */
export interface DoctorSite extends Disposable {
  readonly serve: ServeSite;
  readonly host: TestNetns;
  /** 192.0.2.254, the host's default gateway. The host is 192.0.2.1. */
  readonly outside: TestNetns;
  /** The namespace of the container that `attach` made. */
  pod(id: string): TestNetns;
  /** A directory for CNI configuration files. */
  readonly confDir: string;
  attach(id: string, config?: object): CniAnswer;
  detach(id: string, config?: object): void;
  /** A call for another container in the namespace of `pod`, beside whatever else goes on. */
  callIn(pod: string, command: PluginCall['command'], id: string): Promise<PluginRun>;
  /** The host side of the container's interface. */
  hostIf(id: string): string;
  verb(...args: readonly string[]): Promise<VerbRun>;
  /** The same with variables added to the environment. */
  verbWith(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<VerbRun>;
  /** What a verb, with its arguments as one text, prints on a terminal that is so wide. */
  terminal(columns: number, words: string): Promise<string>;
  /** The output of a shell command that begins with a verb. */
  piped(words: string): Promise<string>;
  doctor(...args: readonly string[]): Promise<DoctorReport>;
  /** Names of the rules that find something, each once, sorted. */
  rules(...args: readonly string[]): Promise<string[]>;
  sh(...commands: readonly string[]): string;
}

export const WEB = {
  ...{ cniVersion: '1.1.0', name: 'web', type: 'isthmus', driver: 'bridge', bridge: 'isth0' },
  ...{ isGateway: true, ipMasq: true, capabilities: { portMappings: true, bandwidth: true } },
  ipam: { ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
};

export function makeDoctorSite(): DoctorSite {
  const serve = makeServeSite();
  const outside = makeNetns('o');
  const pods = new Map<string, TestNetns>();
  const host = serve.ns;
  const [confDir, binDir] = [join(serve.root, 'net.d'), join(serve.root, 'bin')];
  for (const dir of [confDir, binDir]) mkdirSync(dir);
  // Runtimes call it by its name only.
  writeFileSync(join(binDir, 'loopback'), '', { mode: 0o755 });
  host.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.name);
  for (const [ns, dev, address] of [
    [host, 'up0', '192.0.2.1/24'],
    [outside, 'eth0', '192.0.2.254/24'],
  ] as const) {
    ns.ip('addr', 'add', address, 'dev', dev);
    ns.ip('link', 'set', dev, 'up');
    ns.ip('link', 'set', 'lo', 'up');
  }
  host.ip('route', 'add', 'default', 'via', '192.0.2.254');
  const env = {
    ...{ PATH: process.env.PATH ?? '', ISTHMUS_STATE_DIR: serve.stateDir, ISTHMUS_RUN_DIR: serve.runDir },
    ...{ ISTHMUS_CNI_CONF_DIR: confDir, ISTHMUS_DOCKER_HOST: 'none', CNI_PATH: binDir, ...COMPILE_CACHE },
  };
  const call = (command: PluginCall['command'], id: string, config: object): PluginCall => ({
    ...{ dir: DIST, name: 'cni-plugin', command, path: DIST, config, host: host.path, stateDir: serve.stateDir },
    ...{ containerId: id, ifName: 'eth0', netns: pods.get(id)?.path ?? '', env: { ISTHMUS_RUN_DIR: serve.runDir } },
  });
  const PROGRAM = `${process.execPath} --no-warnings ${bundled(VERBS)}`;
  const shell = (command: string): Promise<string> =>
    new Promise((resolve) => {
      const options = { env: { ...env, NO_COLOR: '1' }, timeout: 60_000 };
      execFile('nsenter', [`--net=${host.path}`, '--', 'sh', '-c', command], options, (_error, stdout) =>
        resolve(stdout),
      );
    });
  const site: DoctorSite = {
    ...{ serve, host, outside, confDir },
    pod: (id) => {
      const found = pods.get(id);
      if (found === undefined) throw new Error(`container ${id} was not attached`);
      return found;
    },
    attach: (id, config = WEB) => {
      if (!pods.has(id)) pods.set(id, makeNetns('p'));
      return expectOk(runPlugin(call('ADD', id, config)));
    },
    detach: (id, config = WEB) => void expectOk(runPlugin(call('DEL', id, config))),
    callIn: (pod, command, id) =>
      runPluginAsync({ ...call(command, id, WEB), netns: site.pod(pod).path, ifName: `e${id}` }),
    hostIf: (id) => {
      const found = new RegExp(`(veth[0-9a-f]+)@[^\\n]*\\n[^\\n]*\\n[^\\n]*id=${id}`).exec(
        host.ip('link', 'show'),
      )?.[1];
      if (found === undefined) throw new Error(`container ${id} has no host side`);
      return found;
    },
    verb: (...args) => site.verbWith({}, ...args),
    verbWith: (more, ...args) =>
      new Promise((resolve) => {
        const words = [`--net=${host.path}`, '--', process.execPath, '--no-warnings', bundled(VERBS), ...args];
        execFile('nsenter', words, { env: { ...env, ...more }, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr });
        });
      }),
    terminal: async (columns, words) => {
      const shown = await shell(`script -qec 'stty cols ${columns}; ${PROGRAM} ${words}' /dev/null < /dev/null`);
      return shown.replaceAll('\r', '');
    },
    piped: (words) => shell(`${PROGRAM} ${words}`),
    doctor: async (...args) => {
      const { code, stdout, stderr } = await site.verb('doctor', '-o', 'json', ...args);
      if (stderr !== '' || stdout === '') throw new Error(`doctor ended with ${code}: ${stderr}`);
      const report: DoctorReport = JSON.parse(stdout);
      if (code !== (report.ok ? 0 : 1)) throw new Error(`exit code ${code} of ${stdout}`);
      return report;
    },
    rules: async (...args) => [...new Set((await site.doctor(...args)).findings.map(({ rule }) => rule))].sort(),
    sh: (...commands) => host.run('sh', '-ec', commands.join('\n')),
    [Symbol.dispose]: () => {
      for (const ns of [...pods.values(), outside]) ns[Symbol.dispose]();
      serve[Symbol.dispose]();
    },
  };
  return site;
}

/** Writes a CNI configuration file of the site. */
export function writeConfig({ confDir }: DoctorSite, name: string, content: object | string): void {
  writeFileSync(join(confDir, name), typeof content === 'string' ? content : JSON.stringify(content));
}
