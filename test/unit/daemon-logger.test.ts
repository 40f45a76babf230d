import { strict as assert } from 'node:assert';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { LineSink } from '../../cmd/cnm-shim/line-sink.ts';
import { droppedLine, LOG_FORMATS, openLogger } from '../../cmd/cnm-shim/logger.ts';
import type { LogLevel } from '../../src/shared/log/log.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('daemon log', () => {
  let directory: TempDir;
  beforeEach(() => {
    directory = makeTempDir();
  });
  afterEach(() => directory[Symbol.dispose]());

  /** The output of a logger with threshold `level` for one message of each level. */
  async function logged(level: LogLevel, format: (typeof LOG_FORMATS)[number]): Promise<string[]> {
    const file = join(directory.path, `${level}.${format}`);
    const fd = openSync(file, 'w');
    const log = await openLogger({ level, format }, new LineSink(fd, droppedLine(format)));
    log.debug('d');
    log.info('i', { network: 'web', ms: 3, kept: true, absent: undefined });
    log.warn('w', { error: 'two\nlines "quoted"' });
    log.error('e', { error: 'end' });
    closeSync(fd);
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  }

  it('starts each logfmt line with the time', async () => {
    const lines = await logged('debug', 'logfmt');
    const parts = lines.map((line) => /^time=(\S+) (.*)$/.exec(line) ?? []);
    for (const [line, time = ''] of parts) assert.match(time, TIME, line);
    assert.deepEqual(
      parts.map(([, , rest]) => rest),
      [
        'level=debug event=d',
        'level=info event=i network=web ms=3 kept=true',
        'level=warn event=w error="two\\nlines \\"quoted\\""',
        'level=error event=e error=end',
      ],
    );
  });

  it('writes JSON with time, level as a word, the event as msg, and flat fields', async () => {
    const lines = (await logged('debug', 'json')).map((line): Record<string, unknown> => JSON.parse(line));
    for (const { time } of lines) assert.match(String(time), TIME);
    assert.deepEqual(
      lines.map(({ time, ...rest }) => rest),
      [
        { level: 'debug', msg: 'd' },
        { level: 'info', msg: 'i', network: 'web', ms: 3, kept: true },
        { level: 'warn', msg: 'w', error: 'two\nlines "quoted"' },
        { level: 'error', msg: 'e', error: 'end' },
      ],
    );
  });

  for (const format of LOG_FORMATS)
    it(`writes as many lines as the level allows, as ${format}`, async () => {
      const counts: number[] = [];
      for (const level of ['error', 'warn', 'info', 'debug'] as const)
        counts.push((await logged(level, format)).length);
      assert.deepEqual(counts, [1, 2, 3, 4]);
    });

  it('reports the number of dropped lines in the same format', () => {
    assert.match(droppedLine('logfmt')(7), /^time=\S+ level=warn event=log\.dropped lines=7\n$/);
    const { time, ...rest } = JSON.parse(droppedLine('json')(7));
    assert.match(time, TIME);
    assert.deepEqual(rest, { level: 'warn', lines: 7, msg: 'log.dropped' });
  });

  /** A child whose stderr is a socket or a pipe, and a reader that starts on demand. */
  function startLogging(kind: 'socket' | 'pipe', ...args: string[]): { child: ChildProcess; stderr: Readable } {
    const script = join(import.meta.dirname, '../support/log-child.ts');
    const command = ['--no-warnings', script, ...args];
    if (kind === 'socket') {
      const child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'pipe'] });
      return { child, stderr: child.stderr };
    }
    const fifo = join(directory.path, 'stderr');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    const child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', writer] });
    closeSync(writer);
    return { child, stderr: new Socket({ fd: reader, readable: true, writable: false }).pause() };
  }

  async function linesOf(stderr: Readable): Promise<string[]> {
    let text = '';
    stderr.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    stderr.resume();
    await once(stderr, 'end');
    assert.ok(text.endsWith('\n'), text.slice(-200));
    return text.split('\n').slice(0, -1);
  }

  const numbersOf = (lines: readonly string[]): number[] =>
    lines.flatMap((line) => {
      const [, number] = /^time=\S+ level=info event=event number=(\d+) text=x{40}$/.exec(line) ?? [];
      return number === undefined ? [] : [Number(number)];
    });

  for (const kind of ['socket', 'pipe'] as const) {
    describe(`to a ${kind} that nobody reads`, () => {
      it('never blocks: drops whole lines, and reports how many once there is room', async () => {
        const count = 30_000;
        const { child, stderr } = startLogging(kind, String(count), 'stay');
        try {
          await once(child.stdout as Readable, 'data');
          const lines = linesOf(stderr);
          const [, dropped] = await waitFor(lines, stderr, /event=log\.dropped lines=(\d+)/);
          child.stdin?.end();
          assert.deepEqual(await once(child, 'close'), [0, null]);
          const all = await lines;
          const numbers = numbersOf(all);
          // Starts at the first line, without a gap until the buffer was full.
          assert.deepEqual(numbers, [...numbers.keys()]);
          assert.ok(numbers.length > 5000 && Number(dropped) > 5000, `${numbers.length} written, ${dropped} dropped`);
          assert.equal(numbers.length + Number(dropped), count);
          assert.match(all.at(-1) ?? '', /level=info event=last$/);
          assert.equal(all.length, numbers.length + 2);
        } finally {
          child.kill('SIGKILL');
        }
      });

      it('writes everything before it ends if the reader reads on', async () => {
        const count = 5000;
        const { child, stderr } = startLogging(kind, String(count));
        try {
          await once(child.stdout as Readable, 'data');
          const lines = linesOf(stderr);
          assert.deepEqual(await once(child, 'close'), [0, null]);
          assert.deepEqual(numbersOf(await lines), [...Array(count).keys()]);
        } finally {
          child.kill('SIGKILL');
        }
      });
    });
  }

  it('leaves the flags of the shared open file unchanged', async () => {
    const fifo = join(directory.path, 'shared');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    const flags = (): string => readFileSync(`/proc/self/fdinfo/${writer}`, 'utf8').split('\n')[1] ?? '';
    const before = flags();
    new LineSink(writer, droppedLine('logfmt')).write('line\n');
    assert.equal(flags(), before);
    assert.equal(fstatSync(writer).isFIFO(), true);
    closeSync(writer);
    closeSync(reader);
  });

  it('loses only its own lines if the reader has gone', () => {
    const fifo = join(directory.path, 'gone');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    const sink = new LineSink(writer, droppedLine('logfmt'));
    closeSync(reader);
    for (let i = 0; i < 10; i++) sink.write('line\n');
    sink.flush(60_000);
    closeSync(writer);
  });
});

/** The first match in `stderr`. Rejects if that ends without one. */
function waitFor(lines: Promise<string[]>, stderr: Readable, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    stderr.on('data', (piece: string) => {
      text += piece;
      const found = pattern.exec(text);
      if (found !== null) resolve(found);
    });
    lines.then(() => reject(new Error(`ended without ${pattern}`)), reject);
  });
}
