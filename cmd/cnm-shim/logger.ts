import { type Logger, type LogLevel, makeLogger } from '../../src/shared/log/log.ts';
import { visibleJson } from '../../src/shared/model/visible.ts';
import type { LineSink } from './line-sink.ts';

export const LOG_FORMATS = ['logfmt', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** The line that reports dropped lines, in either format. */
export function droppedLine(format: LogFormat): (count: number) => string {
  return (lines) => {
    const parts = { time: now(), level: 'warn', lines };
    return format === 'json'
      ? `${JSON.stringify({ ...parts, msg: 'log.dropped' })}\n`
      : `time=${parts.time} level=warn event=log.dropped lines=${lines}\n`;
  };
}

/** A logger that writes events of the level or above to `sink`: one line per event, with its time. */
export async function openLogger({ level, format }: LogOptions, sink: LineSink): Promise<Logger> {
  if (format === 'json') return await jsonLogger(level, sink);
  return makeLogger(level, undefined, (line) => sink.write(`time=${now()} ${line}`));
}

/** `{"level":"info","time":"…","network":"web","msg":"ADD"}`: the level as a word, fields flat, the event as `msg`. */
async function jsonLogger(level: LogLevel, sink: LineSink): Promise<Logger> {
  const { pino } = await import('pino');
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => sink.write(visibleJson(line)) },
  );
  return {
    error: (event, fields = {}) => logger.error(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    debug: (event, fields = {}) => logger.debug(fields, event),
  };
}

function now(): string {
  return new Date().toISOString();
}
