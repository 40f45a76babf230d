import type { LinuxNamespace } from '../../host/linux-namespace.ts';

/** Packets that each interface has received and sent. */
export type Counters = ReadonlyMap<string, { readonly received: number; readonly sent: number }>;

/** /proc/net/dev: after the name, eight columns of what was received, then eight of what was sent; packets come second. */
export function readCounters(ns: LinuxNamespace): Counters {
  const lines = (ns.readProc('/proc/thread-self/net/dev') ?? '').split('\n').slice(2);
  return new Map(
    lines.flatMap((line) => {
      const [name = '', rest = ''] = line.split(':');
      const columns = rest.trim().split(/\s+/).map(Number);
      const [received, sent] = [columns[1], columns[9]];
      return received === undefined || sent === undefined ? [] : [[name.trim(), { received, sent }] as const];
    }),
  );
}

/** The interfaces that have counted packets meanwhile. Those of other traffic are among them. */
export function differences(before: Counters, after: Counters): string[] {
  return [...after].flatMap(([name, now]) => {
    const was = before.get(name) ?? { received: 0, sent: 0 };
    const [received, sent] = [now.received - was.received, now.sent - was.sent];
    return received + sent === 0 ? [] : [`${name}: ${received} in, ${sent} out`];
  });
}
