import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { fault } from '../../src/shared/errors/fault.ts';
import { visible, visibleJson } from '../../src/shared/model/visible.ts';
import { formatError } from '../../src/shared/runtime/cni/respond.ts';
import { formatTable } from '../../src/shared/ui/table.ts';

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
/** Clears the screen (C0 and C1), sets the title, reverses the text, hides a letter, breaks the line. */
const NASTY = 'a\x1b[2J\x9b2J\x1b]0;title\x07\u202eb\u2067c\u200bd\u2028e\ud800f\u{e0041}g';

describe('texts for people', () => {
  it('visible: writes what a terminal obeys as escapes, and nothing else', () => {
    assert.equal(visible('a\x1b[31mb\x9bc\u202ed\u{e0041}'), 'a\\u001b[31mb\\u009bc\\u202ed\\udb40\\udc41');
    for (const plain of ['Grüße 10.0.0.1/8 → "x" \\ {…}', '日本語', '🙂', '']) assert.equal(visible(plain), plain);
  });

  it('visibleJson: is the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const shown = visibleJson(JSON.stringify(value, null, 4));
        assert.deepEqual(JSON.parse(shown), JSON.parse(JSON.stringify(value)));
        assert.doesNotMatch(shown.replaceAll('\n', ''), HIDDEN);
      }),
    );
  });

  it('errors: message, hint and CNI answer contain none of it, on one line', () => {
    const error = fault.invalidConfig('config', `.bridge=${NASTY}`, `is\n${NASTY}`, `Not ${NASTY}`);
    assert.doesNotMatch(error.message, HIDDEN);
    assert.doesNotMatch(error.hint, HIDDEN);
    const answer = formatError(error, '1.1.0');
    assert.doesNotMatch(answer.replaceAll('\n', ''), HIDDEN);
    const { msg, details } = JSON.parse(answer);
    assert.doesNotMatch(`${msg}${details}`, HIDDEN);
    assert.ok(!msg.includes('Not a'), msg);
  });

  it('errors: a text of a hundred thousand spaces takes no time', () => {
    const before = process.threadCpuUsage();
    fault.invalidConfig('config', `CNI_ARGS=${' '.repeat(100_000)}x`, 'is wrong');
    assert.ok(process.threadCpuUsage(before).user < 50_000);
  });

  it('tables: a cell is one line without escapes', () => {
    const lines = formatTable(['NAME'], [[NASTY], ['two\nlines']]).split('\n');
    assert.equal(lines.length, 4);
    for (const line of lines) assert.doesNotMatch(line, HIDDEN);
  });
});
