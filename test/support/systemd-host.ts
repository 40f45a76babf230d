import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Attempt, type AttemptOptions, makeTestHost, waitFor } from './test-host.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const UNITS = join(ROOT, 'build/packaging/systemd');
const SCRIPT = join(import.meta.dirname, 'systemd-host.sh');
const LOG = '/run/isth/isthmus.log';

/** No journal runs here, and nothing of what units usually wait for at boot. */
const DROP_INS: Readonly<Record<string, string>> = {
  'isthmus.socket.d/test.conf': '[Unit]\nDefaultDependencies=no\n',
  'isthmus-docker.socket.d/test.conf': '[Unit]\nDefaultDependencies=no\n',
  'isthmus.service.d/test.conf': `[Unit]\nDefaultDependencies=no\n[Service]\nStandardError=append:${LOG}\n`,
};

/** A machine with a systemd as PID 1 that runs the units of this package, with dist/ as /usr/lib/isthmus. */
export interface SystemdHost extends AsyncDisposable {
  /** Output of a command that has to succeed; throws with all that it said. */
  run(file: string, ...args: readonly string[]): string;
  attempt(command: readonly string[], options?: AttemptOptions): Attempt;
  /** The value of a property of a unit: `systemctl show`. */
  property(unit: string, name: string): string;
  /** The daemon's process, as this machine numbers it; undefined where none runs. */
  daemon(): number | undefined;
  /** More settings for a unit, from now on. */
  override(unit: string, text: string): void;
  /** A file of the machine is there. */
  write(path: string, text: string): void;
  /** The lines that the daemons have logged. */
  log(): string[];
}

/** Why no such machine can be made here, or undefined where it can. */
export function systemdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'a machine for systemd needs root';
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not installed';
  return /\bcgroup2\b/.test(readFileSync('/proc/self/mounts', 'utf8')) ? undefined : 'no cgroup2 is mounted';
}

/** The daemon has been started by its unit and says that it is ready. */
export async function makeSystemdHost(): Promise<SystemdHost> {
  const host = await makeTestHost();
  try {
    const units = '/run/isth/units';
    for (const file of readdirSync(UNITS)) host.write(join(units, file), readFileSync(join(UNITS, file), 'utf8'));
    for (const [file, text] of Object.entries(DROP_INS)) host.write(join(units, file), text);
    host.write(join(units, 'test.target'), '[Unit]\nWants=isthmus.service\n');
    const pidFile = host.outside('/run/isth/systemd.init');
    const command = ['sh', SCRIPT, 'start', host.name, units, join(ROOT, 'dist')];
    await host.start('systemd', command, () => existsSync(pidFile));
    const enter = ['nsenter', `--target=${readFileSync(pidFile, 'utf8').trim()}`, '--mount', '--pid', '--cgroup', '--'];
    const machine = machineOf(host, enter);
    await waitFor('isthmus.service is active', () => machine.property('isthmus.service', 'ActiveState') === 'active');
    return machine;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

function machineOf(host: Awaited<ReturnType<typeof makeTestHost>>, enter: readonly string[]): SystemdHost {
  const attempt = (command: readonly string[], options?: AttemptOptions): Attempt =>
    host.attempt([...enter, ...command], options);
  const run = (...command: readonly string[]): string => host.run(enter[0] ?? '', ...enter.slice(1), ...command);
  const property = (unit: string, name: string): string =>
    attempt(['systemctl', 'show', '--value', `--property=${name}`, unit]).stdout.trim();
  return {
    run,
    attempt,
    property,
    daemon() {
      const pid = Number(property('isthmus.service', 'MainPID'));
      return pid > 0 ? pid : undefined;
    },
    override(unit, text) {
      run(
        'sh',
        '-c',
        `mkdir -p /run/systemd/system/$0.d && echo "$1" >>/run/systemd/system/$0.d/more.conf`,
        unit,
        text,
      );
      run('systemctl', 'daemon-reload');
    },
    write: (path, text) => void attempt(['sh', '-c', 'mkdir -p "$(dirname "$0")" && cat >"$0"', path], { input: text }),
    log: () => attempt(['cat', LOG]).stdout.split('\n').slice(0, -1),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}
