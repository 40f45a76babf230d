import { strict as assert } from 'node:assert';
import { openSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type AcceptedCall, CniService, release } from '../../cmd/cnm-shim/cni/service.ts';
import type { CniAnswer } from './cni.ts';
import { enterNetns, makeNetns, type TestNetns } from './netns.ts';
import { runProgram } from './spawn.ts';
import { makeTempDir } from './temp.ts';

export interface SiteAnswer {
  readonly code: number;
  readonly json: CniAnswer & { readonly code?: number; readonly msg?: string };
}

/** What a call says besides its command and its pod. */
export interface SiteCall {
  /** Keys of `ipam`. */
  readonly ipam?: object;
  readonly args?: string;
  readonly prevResult?: object;
  readonly path?: string;
  /** Name that the launcher is called by. Default: `bridge`. */
  readonly plugin?: string;
  /** Further keys of the configuration. */
  readonly conf?: object;
  readonly netns?: string;
  /** Aborted when the runtime gives up. */
  readonly gone?: AbortSignal;
}

/**
 * A bridge with a machine on it, `lan`, and the daemon's service in this process, which moves into a namespace of its
 * own meanwhile: other tests compare the links of the machine.
 */
export interface DhcpSite extends Disposable {
  readonly lan: TestNetns;
  readonly bridge: string;
  /** CNI_PATH, where `dhcp` is this program. */
  readonly path: string;
  /** Lines of the daemon's log. */
  readonly logged: string[];
  /** A namespace for a pod; its container has the same id. */
  pod(): TestNetns;
  call(command: string, pod: TestNetns, call?: SiteCall): Promise<SiteAnswer>;
  /** The answer of a call that succeeds. */
  ok(command: string, pod: TestNetns, call?: SiteCall): Promise<CniAnswer>;
  /** Ends the service as a daemon that is killed, and starts one with the same state. */
  restart(): Promise<void>;
  readonly service: CniService;
}

export const LAN = '10.6.0.1';

const BRIDGE = 'lan-br';

export function makeDhcpSite(): DhcpSite {
  using making = new DisposableStack();
  const made = making.use(new DisposableStack());
  const machine = made.use(makeNetns('dhcp'));
  made.use(enterNetns(machine.path));
  const temp = made.use(makeTempDir());
  const path = join(temp.path, 'bin');
  runProgram('mkdir', [path]);
  symlinkSync(process.execPath, join(path, 'dhcp'));
  const lan = made.use(makeNetns('lan'));
  machine.ip('link', 'add', BRIDGE, 'type', 'bridge');
  machine.ip('link', 'set', BRIDGE, 'up');
  lan.ip('link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan-port', 'netns', machine.name);
  machine.ip('link', 'set', 'lan-port', 'master', BRIDGE, 'up');
  lan.ip('addr', 'add', `${LAN}/24`, 'dev', 'lan0');
  lan.ip('link', 'set', 'lan0', 'up');
  const logged: string[] = [];
  const line = (event: string, fields = {}): void => void logged.push(`${event} ${JSON.stringify(fields)}`);
  const log = { debug: line, info: line, warn: line, error: line };
  const start = (): CniService =>
    new CniService({ stateDir: join(temp.path, 'state'), env: { ISTHMUS_HOST_ID: machine.name }, log });
  let service = start();
  made.defer(() => service[Symbol.dispose]());
  const call: DhcpSite['call'] = async (command, pod, asked = {}) => {
    const { ipam = {}, args = '', prevResult, plugin = 'bridge', conf = {}, netns = pod.path } = asked;
    const env = {
      ...{ CNI_COMMAND: command, CNI_CONTAINERID: pod.name, CNI_IFNAME: 'eth0', CNI_NETNS: netns },
      ...{ CNI_PATH: asked.path ?? path, CNI_ARGS: args },
    };
    const config = {
      cniVersion: '1.1.0',
      name: 'lease',
      type: plugin,
      bridge: BRIDGE,
      ipam: { type: 'dhcp', ...ipam },
      ...conf,
    };
    const stdin = JSON.stringify({ ...config, ...(prevResult === undefined ? {} : { prevResult }) });
    const accepted: AcceptedCall = {
      request: { argv0: plugin, env, stdin, netnsFd: -1, stateDir: undefined },
      ...(netns === '' ? {} : { sandbox: openSync(netns, 'r') }),
      since: performance.now(),
      gone: () => asked.gone ?? new AbortController().signal,
      stamp: `${command}-${pod.name}`,
    };
    try {
      const { code, stdout } = await service.answer(accepted);
      return { code, json: stdout.trim() === '' ? {} : JSON.parse(stdout) };
    } finally {
      release(accepted);
    }
  };
  making.move();
  return {
    ...{ lan, bridge: BRIDGE, path, logged, call },
    pod: () => made.use(makeNetns('pod')),
    ok: async (command, pod, asked) => {
      const { code, json } = await call(command, pod, asked);
      assert.equal(code, 0, `${command} ${pod.name}: ${JSON.stringify(json)}\n${logged.slice(-5).join('\n')}`);
      return json;
    },
    restart: async () => {
      service[Symbol.dispose]();
      service = start();
      await service.resident.dhcp.resume();
    },
    get service() {
      return service;
    },
    [Symbol.dispose]: () => made.dispose(),
  };
}
