import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { isLogLevel, type LogLevel, makeLogger, traceId } from '../../src/shared/log/log.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

function lines(level: LogLevel, parent?: string): string[] {
  const written: string[] = [];
  const log = makeLogger(level, parent, (line) => written.push(line));
  log.debug('d');
  log.info('i', { network: 'web', ms: 3, kept: true, absent: undefined });
  log.warn('w', { error: 'two words', quoted: 'a"b', equals: 'a=b', empty: '', line: 'a\nb' });
  return written;
}

describe('log lines', () => {
  it('are written only if the level allows', () => {
    const counts = (['error', 'warn', 'info', 'debug'] as const).map((level) => lines(level).length);
    assert.deepEqual(counts, [0, 1, 2, 3]);
  });

  it('are key=value, with quotes where they are needed', () => {
    assert.deepEqual(lines('info'), [
      'level=info event=i network=web ms=3 kept=true\n',
      'level=warn event=w error="two words" quoted="a\\"b" equals="a=b" empty="" line="a\\nb"\n',
    ]);
  });

  it('carry the trace id of the caller', () => {
    for (const line of lines('debug', PARENT)) assert.ok(line.includes(` trace=${TRACE}`), line);
    for (const line of lines('debug', 'nonsense')) assert.ok(!line.includes('trace='), line);
  });

  it('contain no character that a terminal obeys or that reorders text', () => {
    const written: string[] = [];
    const log = makeLogger('info', PARENT, (line) => written.push(line));
    log.info('e', {
      c0: '\x1b[2J',
      c1: 'a\x9b2Jb',
      del: '\x7f',
      bidi: 'a\u202eb',
      isolate: 'a\u2066b c',
      zero: 'a\u200bb',
    });
    assert.equal(
      written[0],
      `level=info event=e trace=${TRACE} c0="\\u001b[2J" c1="a\\u009b2Jb" del="\\u007f" bidi="a\\u202eb" isolate="a\\u2066b c" zero="a\\u200bb"\n`,
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        log.info('e', { value });
        assert.doesNotMatch(written.at(-1)?.slice(0, -1) ?? '', /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
    );
  });

  it('are one line each, whatever they contain', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const written: string[] = [];
        makeLogger('info', PARENT, (line) => written.push(line)).info('e', { value });
        assert.equal(written.length, 1);
        assert.match(written[0] ?? '', /^[^\n]*\n$/);
      }),
    );
  });

  it('accept only the four levels', () => {
    assert.deepEqual(['error', 'warn', 'info', 'debug'].filter(isLogLevel).length, 4);
    assert.deepEqual(['', 'trace', 'INFO', 'toString', '__proto__'].filter(isLogLevel), []);
  });
});

/** W3C Trace Context §3.2.2. */
describe('traceparent', () => {
  it('returns the trace id of version 00, and of a later version with more fields', () => {
    assert.equal(traceId(PARENT), TRACE);
    assert.equal(traceId(`cc-${TRACE}-b7ad6b7169203331-01-what-the-future-brings`), TRACE);
  });

  const wrong = [
    undefined,
    '',
    '00',
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${TRACE.slice(1)}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b716920333-01`,
    `00-${TRACE}-b7ad6b7169203331`,
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-b7ad6b7169203331-01x`,
    ` ${PARENT}`,
  ];
  for (const text of wrong) {
    it(`has no trace id in ${JSON.stringify(text)}`, () => assert.equal(traceId(text), undefined));
  }
});
