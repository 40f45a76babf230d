import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { visibleJson } from '../../../src/shared/model/visible.ts';
import { type Counters, parseCounters } from '../../../src/shared/ops/topology.ts';
import type { Rate, TopologyReport } from './report.ts';

export interface FeedParts {
  readonly report: () => Promise<TopologyReport>;
  /** The text of /proc/net/dev. Default: the host's. */
  readonly counters?: () => string;
  readonly everyMs?: number;
}

const EVERY_MS = 1000;
/** The records and Docker's names are read each third time: traffic changes more often than networks. */
const REPORT_EACH = 3;
/** A browser that has not taken so much is too slow, or suspended. It connects again by itself. */
const LARGEST_BACKLOG = 8 << 20;

/** Sends the topology, its changes and the rates of its links to browsers, as server-sent events. Idle without one. */
export class Feed implements Disposable {
  readonly #parts: FeedParts;
  readonly #readers = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #turn = 0;
  #report: TopologyReport | undefined;
  #sent = '';
  #before: { readonly at: number; readonly counters: ReadonlyMap<string, Counters> } | undefined;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  add(reader: ServerResponse): void {
    this.#readers.add(reader);
    reader.on('close', () => this.#drop(reader));
    reader.on('error', () => this.#drop(reader));
    if (this.#sent !== '') this.#write(reader, this.#sent);
    this.#timer ??= setInterval(() => void this.#tick(), this.#parts.everyMs ?? EVERY_MS);
    void this.#tick();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const reader of this.#readers) reader.destroy();
  }

  #drop(reader: ServerResponse): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    clearInterval(this.#timer);
    [this.#timer, this.#before, this.#turn] = [undefined, undefined, 0];
  }

  /** One at a time: a slow dockerd delays it. */
  async #tick(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      if (this.#turn++ % REPORT_EACH === 0) await this.#sendReport();
      this.#sendRates();
    } catch (thrown) {
      this.#send(message('trouble', { message: asNetError(thrown, 'topology').message }));
    } finally {
      this.#running = false;
    }
  }

  async #sendReport(): Promise<void> {
    this.#report = await this.#parts.report();
    const text = message('topology', this.#report);
    if (text === this.#sent) return;
    this.#sent = text;
    this.#send(text);
  }

  #sendRates(): void {
    const text = (this.#parts.counters ?? (() => readFileSync('/proc/net/dev', 'utf8')))();
    const now = { at: performance.now(), counters: parseCounters(text) };
    const [before, report] = [this.#before, this.#report];
    this.#before = now;
    if (before !== undefined && report !== undefined) this.#send(message('rates', ratesOf(report, before, now)));
  }

  #send(text: string): void {
    for (const reader of this.#readers) this.#write(reader, text);
  }

  #write(reader: ServerResponse, text: string): void {
    if (reader.writableLength > LARGEST_BACKLOG) reader.destroy();
    else reader.write(text);
  }
}

interface Sample {
  readonly at: number;
  readonly counters: ReadonlyMap<string, Counters>;
}

/** What the host's side sends, the container receives. Leaves out endpoints without traffic. */
function ratesOf({ networks }: TopologyReport, before: Sample, now: Sample): Rate[] {
  const perSecond = 8000 / (now.at - before.at);
  return networks.flatMap(({ endpoints }) =>
    endpoints.flatMap(({ key, hostInterface = '' }): Rate[] => {
      const [old, new_] = [before.counters.get(hostInterface), now.counters.get(hostInterface)];
      if (old === undefined || new_ === undefined) return [];
      // A link that was made again begins at zero.
      const [received, sent] = [Math.max(0, new_.sent - old.sent), Math.max(0, new_.received - old.received)];
      return received + sent === 0 ? [] : [[key, Math.round(received * perSecond), Math.round(sent * perSecond)]];
    }),
  );
}

/** HTML living standard, section 9.2.5: a line break ends a field, and JSON has none. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${visibleJson(JSON.stringify(data))}\n\n`;
}
