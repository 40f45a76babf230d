import type { DaemonTimes } from './daemon.ts';
import { formatTable, milliseconds } from './stats.ts';

/** One row of the table: what was measured, and what it may be at most (or at least). */
export interface Row {
  readonly work: string;
  readonly measured: string;
  readonly limit: string;
  readonly met: boolean;
}

/** Every row of the daemon's table. */
export function daemonRows({ plain, ports, status }: DaemonTimes): Row[] {
  return [
    atMost('ADD, bridge and addresses', plain.isthmus.ADD.p50, plain.reference.ADD.p50, 1 / 4, 'the reference'),
    atMost('ADD, with ipMasq and a host port', ports.isthmus.ADD.p50, ports.reference.ADD.p50, 1 / 20, 'the reference'),
    atMost('DEL', plain.isthmus.DEL.p50, plain.kernel.p50, 1.3, "the kernel's deletion"),
    { work: 'STATUS', measured: `${milliseconds(status.p50)} ms`, limit: '3 ms', met: status.p50 <= 3 },
  ];
}

export function printDaemon(times: DaemonTimes): void {
  const { plain, ports } = times;
  console.log('\nThrough launcher and daemon, medians; the reference is bridge + host-local, and portmap + firewall');
  console.log(
    '(calls are started by vfork from one C program for both sides, which takes the time around start and end)',
  );
  console.log(
    formatTable([
      ['', 'measured', 'at most', 'met'],
      ...daemonRows(times).map(({ work, measured, limit, met }) => [work, measured, limit, met ? 'yes' : 'NO']),
    ]),
  );
  const line = (label: string, side: 'reference' | 'isthmus'): string[][] =>
    (['ADD', 'DEL'] as const).map((command) => [
      `${label} ${command}`,
      ...[plain, ports].flatMap((pairs) => [pairs[side][command].p50, pairs[side][command].p90].map(milliseconds)),
    ]);
  console.log('');
  console.log(
    formatTable([
      ['ms', 'plain p50', 'p90', 'ipMasq and port p50', 'p90'],
      ...line('reference', 'reference'),
      ...line('isthmus', 'isthmus'),
      ["kernel's deletion of a veth", milliseconds(plain.kernel.p50), milliseconds(plain.kernel.p90), '', ''],
    ]),
  );
}

function atMost(work: string, own: number, other: number, share: number, of: string): Row {
  const limit = share < 1 ? `1/${Math.round(1 / share)}` : `${share}×`;
  const ratio = own / other;
  const shown = ratio < 1 ? `1/${(1 / ratio).toFixed(1)}` : `${ratio.toFixed(2)}×`;
  return {
    work,
    measured: `${milliseconds(own)} ms, ${shown} of ${of}'s ${milliseconds(other)}`.replace("n's ", 'n, '),
    limit,
    met: ratio <= share,
  };
}
