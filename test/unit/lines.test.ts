import { strict as assert } from 'node:assert';
import { formatPairs, terminalWidth, wrap } from '../../src/shared/ui/lines.ts';

describe('lines for a terminal', () => {
  it('break between words, and not inside of them', () => {
    assert.equal(wrap('one two three', 7), 'one two\nthree');
    assert.equal(wrap('  one two three', 8, 4), '  one\n    two\n    three');
    assert.equal(wrap('a-word-that-is-longer x', 5), 'a-word-that-is-longer\nx');
    assert.equal(wrap('one two three', Number.POSITIVE_INFINITY), 'one two three');
    assert.equal(wrap('', 10), '');
  });

  it('show what a terminal would obey', () => {
    assert.equal(wrap('a\u001b[31mb', 80), 'a\\u001b[31mb');
  });

  it('align values, and leave empty ones out', () => {
    assert.equal(
      formatPairs(
        [
          ['A', 'x'],
          ['Long', 'y'],
          ['No', ''],
        ],
        80,
      ),
      'A:     x\nLong:  y\n',
    );
    const wide = 'value '.repeat(6).trim();
    assert.equal(formatPairs([['A', wide]], 24), 'A:  value value value\n    value value value\n');
  });

  it('are as wide as the terminal; without one as they are', () => {
    assert.deepEqual(
      [terminalWidth({ columns: 40 }), terminalWidth({}), terminalWidth({ columns: 3 })],
      [40, Number.POSITIVE_INFINITY, 20],
    );
  });
});
