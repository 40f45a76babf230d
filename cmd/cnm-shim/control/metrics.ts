import type { Histogram, MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { type Figures, figuresOf } from '../../../src/shared/ops/figures.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import { type DaemonFacts, statusOf } from './status.ts';
import { BOUNDS, type Counted } from './tally.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Client = typeof import('prom-client');
type Labels = Readonly<Record<string, string>>;
type Sample = readonly [value: number, labels?: Labels];

/** The metrics in Prometheus' text format. Loads the package that formats them: most daemons are never asked. */
export async function metricsText(facts: DaemonFacts): Promise<string> {
  const [client, figures] = await Promise.all([import('prom-client'), readState(facts)]);
  const registry = new client.Registry();
  addHistograms(client, registry, facts);
  addStatus(client, registry, facts);
  addState(client, registry, figures, facts.missingRules());
  return await registry.metrics();
}

/** Undefined if the state cannot be read now. */
async function readState({ core: open, log }: DaemonFacts): Promise<Figures | undefined> {
  try {
    await using core = open();
    return figuresOf(core);
  } catch (thrown) {
    log.warn('metrics.failed', { error: asNetError(thrown, 'metrics').message });
    return undefined;
  }
}

function addHistograms(client: Client, registry: Registry, { operations: { tally } }: DaemonFacts): void {
  const add = (name: string, help: string, labelNames: readonly string[], counted: readonly Counted[]): void => {
    const config = { name, help, labelNames: [...labelNames], registers: [] };
    const empty = new client.Histogram(config);
    class Kept extends client.Histogram {
      override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
        return { ...(await empty.get()), values: counted.flatMap((one) => samplesOf(name, one)) };
      }

      /** The registry asks this one, if there is one. */
      getForPromString(): ReturnType<Histogram['get']> {
        return this.get();
      }
    }
    registry.registerMetric(new Kept(config));
  };
  add(
    'isthmus_operation_duration_seconds',
    'Duration of operations: CNI commands, calls of dockerd, reconciliations.',
    ['camp', 'operation', 'result'],
    tally.operations(),
  );
  add(
    'isthmus_operation_phase_duration_seconds',
    'Time that operations spent in a phase.',
    ['operation', 'phase'],
    tally.phases(),
  );
}

function samplesOf(name: string, { labels, buckets, count, sum }: Counted): MetricValueWithName<string>[] {
  let total = 0;
  const cumulative = [...BOUNDS, '+Inf'].map((le, i) => {
    total += buckets[i] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...cumulative,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

function addStatus(client: Client, registry: Registry, facts: DaemonFacts): void {
  const { startedAt, rssBytes, eventLoopDelayMs, calls } = statusOf(facts);
  const gauge = gauges(client, registry);
  gauge('isthmus_build_info', 'Version of the daemon; always 1.', [[1, { version: PROGRAM_VERSION }]]);
  gauge('process_start_time_seconds', 'When the daemon began, in seconds since the epoch.', [
    [Date.parse(startedAt) / 1000],
  ]);
  gauge('process_resident_memory_bytes', 'Resident memory of the daemon.', [[rssBytes]]);
  gauge('isthmus_calls_running', 'Calls in progress.', [[calls.running]]);
  gauge('isthmus_calls_waiting', 'CNI calls that wait for their turn.', [[calls.waiting]]);
  for (const [key, what] of [
    ['p50', 'Median delay'],
    ['p99', 'Delay in 99 of 100 samples'],
    ['max', 'Longest delay'],
  ] as const)
    gauge(`isthmus_event_loop_delay_${key}_seconds`, `${what} of the daemon's thread in the last one to two minutes.`, [
      [eventLoopDelayMs[key] / 1000],
    ]);
  const restored = new client.Counter({
    name: 'isthmus_restored_total',
    help: 'Links, addresses, settings and packet filter entries that the daemon has restored on the host.',
    registers: [registry],
  });
  restored.inc(facts.operations.tally.restored);
}

function addState(client: Client, registry: Registry, figures: Figures | undefined, missing: number | undefined): void {
  const gauge = gauges(client, registry);
  gauge('isthmus_state_readable', '1 if the daemon can read its state; otherwise metrics below are absent.', [
    [figures === undefined ? 0 : 1],
  ]);
  if (missing !== undefined)
    gauge('isthmus_rules_missing', 'Packet filter entries that the last reconciliation could not restore.', [
      [missing],
    ]);
  if (figures === undefined) return;
  const { endpoints, networks, halfDone } = figures;
  gauge('isthmus_endpoints', 'Interfaces of containers on record.', [
    [endpoints.cni, { camp: 'cni' }],
    [endpoints.cnm, { camp: 'docker' }],
  ]);
  gauge('isthmus_networks', 'Networks on record.', [[networks.length]]);
  gauge('isthmus_half_done', 'Parts of endpoints, and networks, whose creation or deletion has not ended.', [
    [halfDone],
  ]);
  const leases = (key: 'used' | 'free'): Sample[] =>
    networks.flatMap(({ name, addresses }) =>
      addresses.map((one): Sample => [one[key], { network: name, family: String(one.family) }]),
    );
  gauge('isthmus_leases_used', 'Addresses of a network in use.', leases('used'));
  gauge('isthmus_leases_free', 'Addresses of a network that endpoints can still get.', leases('free'));
}

function gauges(client: Client, registry: Registry) {
  return (name: string, help: string, samples: readonly Sample[]): void => {
    const labelNames = Object.keys(samples[0]?.[1] ?? {});
    const gauge = new client.Gauge({ name, help, labelNames, registers: [registry] });
    // Without labels, none would be 0.
    if (samples.length === 0) registry.removeSingleMetric(name);
    for (const [value, labels = {}] of samples) gauge.set(labels, value);
  };
}
