import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import type { EtcdMember, EtcdSite } from '../support/etcd.ts';

/** In a second, as /proc counts them. */
const TICKS = 100;

/** What a member of etcd has used and holds. */
export interface EtcdFigures {
  /** Since its start, in milliseconds. */
  readonly cpuMs: number;
  readonly rss: number;
  readonly databaseBytes: number;
  readonly watches: number;
  readonly connections: number;
  /** Events sent to watches since its start. */
  readonly events: number;
}

/** Reads /proc, etcd's metrics, and what etcdctl prints. */
export async function figuresOf(site: EtcdSite): Promise<EtcdFigures> {
  const [member] = site.members;
  if (member?.pid === undefined) throw new Error('etcd does not run');
  const [, fields = ''] = readFileSync(`/proc/${member.pid}/stat`, 'utf8').split(') ');
  const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number);
  const metrics = await metricsOf(site, member);
  const [{ Status: status }] = JSON.parse(site.ctl('endpoint', 'status', '-w', 'json')) as [
    { Status: { dbSize: number } },
  ];
  const metric = (name: string): number => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(metrics)?.[1] ?? Number.NaN);
  const streams = /^grpc_server_started_total\{grpc_method="Watch",.*\} (\S+)/m.exec(metrics)?.[1];
  const ended = [...metrics.matchAll(/^grpc_server_handled_total\{.*grpc_method="Watch",.*\} (\S+)/gm)];
  return {
    cpuMs: ((user + system) * 1000) / TICKS,
    rss: Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${member.pid}/status`, 'utf8'))?.[1]) * 1024,
    databaseBytes: status.dbSize,
    watches: metric('etcd_debugging_mvcc_watcher_total'),
    connections: Number(streams) - ended.reduce((sum, [, count]) => sum + Number(count), 0),
    events: metric('etcd_debugging_mvcc_events_total'),
  };
}

function metricsOf({ directory }: EtcdSite, { name }: EtcdMember): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath: join(directory, `${name}:1`), path: '/metrics', agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () => resolve(text)).on('error', reject);
    }).on('error', reject);
  });
}
