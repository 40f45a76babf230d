import { strict as assert } from 'node:assert';

/** Words in an answer that only a fault of the program writes. */
const FAULT = /\b(Type|Reference|Range|Syntax|Assertion)Error\b|Cannot read|is not a function|\n\s+at |\bundefined\b/;

/** The answer is what the specification §5 allows: a result, nothing, or an error with a code other than 999. */
export function assertAnswer({ code, stdout }: { readonly code: number; readonly stdout: string }): void {
  if (code === 0) return;
  const answer: unknown = JSON.parse(stdout);
  assert.ok(typeof answer === 'object' && answer !== null && 'code' in answer && 'msg' in answer, stdout);
  assert.equal(typeof answer.code, 'number', stdout);
  assert.notEqual(answer.code, 999, stdout);
  assert.ok(typeof answer.msg === 'string' && answer.msg !== '', stdout);
  assert.doesNotMatch(answer.msg, FAULT);
}
