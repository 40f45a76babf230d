import { visibleJson } from '../model/visible.ts';

/** Fields of one log line; values are written as JSON where they contain spaces or control characters. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  error(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
}

const LEVELS = { error: 0, warn: 1, info: 2, debug: 3 } as const;
export type LogLevel = keyof typeof LEVELS;

/**
 * Creates a logger that writes one `key=value` line for each event to `write` (stderr), with the trace id of the given
 * W3C `traceparent` if it is valid.
 */
export function makeLogger(level: LogLevel, traceparent: string | undefined, write: (line: string) => void): Logger {
  const trace = traceId(traceparent);
  const emit = (severity: LogLevel, event: string, fields: LogFields = {}): void => {
    if (LEVELS[severity] > LEVELS[level]) return;
    write(formatLine({ level: severity, event, trace, ...fields }));
  };
  return {
    error: (event, fields) => emit('error', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    debug: (event, fields) => emit('debug', event, fields),
  };
}

/** Version 00 ends after its flags; later versions may continue after a hyphen. ff and all-zero ids are invalid. */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2}(?=.{53}(?:-|$)))-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

/** Returns the trace id of a W3C traceparent (`00-<32 hex>-<16 hex>-<2 hex>`; Trace Context §3.2.2), or undefined. */
export function traceId(traceparent: string | undefined): string | undefined {
  return TRACEPARENT.exec(traceparent ?? '')?.[1];
}

export function isLogLevel(text: string): text is LogLevel {
  return Object.hasOwn(LEVELS, text);
}

function formatLine(fields: LogFields): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = String(value);
    parts.push(`${key}=${/^[^\p{Z}\p{C}"=]+$/u.test(text) ? text : visibleJson(JSON.stringify(text))}`);
  }
  return `${parts.join(' ')}\n`;
}
