import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './daemon-site.ts';
import type { TestNetns } from './netns.ts';
import { makeTempDir } from './temp.ts';

export interface DhcpServerOptions {
  /** Interface of the server in its namespace. */
  readonly dev: string;
  /** First and last address of the range; the server has an address in its subnet. */
  readonly range: readonly [first: string, last: string];
  /** Further options of dnsmasq. Default: none. */
  readonly args?: readonly string[];
}

/** A DHCP server in a namespace. */
export interface RunningServer extends AsyncDisposable {
  /** What it has logged. */
  log(): string;
  /** Stops and continues the process: it is there, and silent. */
  silence(isSilent: boolean): void;
}

/** A dnsmasq. */
export interface DhcpServer extends RunningServer {
  /** The lines of its lease file, without times: `<mac> <address> <name> <client id>`. */
  leases(): string[];
}

/** Why dnsmasq cannot run here, or undefined where it can. */
export function dnsmasqMissing(): string | undefined {
  return existsSync('/usr/sbin/dnsmasq') ? undefined : 'dnsmasq (package dnsmasq-base) is not installed';
}

/** Leases addresses for two minutes, the least that dnsmasq does, and answers at once. */
export async function startDhcpServer(ns: TestNetns, options: DhcpServerOptions): Promise<DhcpServer> {
  const { dev, range, args = [] } = options;
  using making = new DisposableStack();
  const dir = making.use(makeTempDir());
  const file = join(dir.path, 'leases');
  const usual = [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', `--interface=${dev}`, '--log-dhcp', '--user=root'],
    ...[`--dhcp-range=${range.join(',')},255.255.255.0,2m`, '--dhcp-authoritative', '--no-ping'],
    ...[`--dhcp-leasefile=${file}`, `--pid-file=${join(dir.path, 'pid')}`, '--log-facility=-'],
  ];
  const child = await started(ns, ['dnsmasq', ...usual, ...args], 'DHCP, IP range');
  const kept = making.move();
  return {
    ...child,
    leases: () => {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
      return lines.filter((line) => line !== '').map((line) => line.replace(/^\d+ /, ''));
    },
    [Symbol.asyncDispose]: async () => {
      await child[Symbol.asyncDispose]();
      kept.dispose();
    },
  };
}

/** A udhcpd, which leases addresses for as few seconds as it is told. */
export async function startBriskServer(
  ns: TestNetns,
  { dev, range: [first, last] }: DhcpServerOptions,
  seconds: number,
): Promise<RunningServer> {
  using making = new DisposableStack();
  const dir = making.use(makeTempDir());
  const [conf, file] = [join(dir.path, 'conf'), join(dir.path, 'leases')];
  const lines = [
    ...[`interface ${dev}`, `start ${first}`, `end ${last}`, 'min_lease 1', 'auto_time 0', `lease_file ${file}`],
    ...[`pidfile ${join(dir.path, 'pid')}`, 'option subnet 255.255.255.0', `option lease ${seconds}`],
    ...['option router 10.6.0.1', ''],
  ];
  writeFileSync(conf, lines.join('\n'));
  writeFileSync(file, '');
  const child = await started(ns, ['busybox', 'udhcpd', '-f', conf], 'started');
  const kept = making.move();
  return {
    ...child,
    [Symbol.asyncDispose]: async () => {
      await child[Symbol.asyncDispose]();
      kept.dispose();
    },
  };
}

async function started(ns: TestNetns, command: readonly string[], ready: string): Promise<RunningServer> {
  let log = '';
  const child = spawn('ip', ['netns', 'exec', ns.name, ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (piece: Buffer) => {
    log += piece.toString();
  });
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    await ended;
  };
  try {
    await until(() => log.includes(ready), `${command[0]} to start`);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    log: () => log,
    silence: (isSilent) => void child.kill(isSilent ? 'SIGSTOP' : 'SIGCONT'),
    [Symbol.asyncDispose]: end,
  };
}
