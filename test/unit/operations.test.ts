import { strict as assert } from 'node:assert';
import { KEPT, type OperationEvent, Operations } from '../../cmd/cnm-shim/control/operations.ts';
import { BOUNDS, Tally } from '../../cmd/cnm-shim/control/tally.ts';
import { fault } from '../../src/shared/errors/fault.ts';

const TIMES = { ms: 3, phases: { lock: 1, kernel: 2 } };

describe('operations that the daemon keeps', () => {
  const add = (operations: Operations, more = {}): void =>
    operations.record({ camp: 'cni', operation: 'ADD', subject: { network: 'web' }, times: TIMES, ...more });
  const all = (operations: Operations): OperationEvent[] =>
    (operations.lines(operations.range.first, KEPT) ?? []).map((line) => JSON.parse(line));

  it('keeps the parts that are given', () => {
    const operations = new Operations();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    add(operations, { subject: { network: 'web', container: undefined, netns: '' }, traceparent });
    const [event] = all(operations);
    assert.ok(event !== undefined && Math.abs(Date.now() - Date.parse(event.at)) < 5000);
    assert.deepEqual(event, {
      ...{ seq: 1, at: event.at, camp: 'cni', operation: 'ADD', subject: { network: 'web' }, result: 'ok' },
      ...{ ms: 3, phases: { lock: 1, kernel: 2 }, traceparent },
    });
  });

  it('keeps the last thousand, and tells a reader that is further behind', () => {
    const operations = new Operations();
    for (let i = 0; i < KEPT + 5; i++) add(operations);
    assert.deepEqual(operations.range, { first: 5, next: KEPT + 5 });
    const events = all(operations);
    assert.deepEqual([events.length, events[0]?.seq, events.at(-1)?.seq], [KEPT, 6, KEPT + 5]);
    assert.equal(operations.lines(4, 1), undefined);
    assert.deepEqual(operations.lines(KEPT + 5, 10), []);
    assert.equal(operations.lines(10, 3)?.length, 3);
  });

  it('keeps the last ten errors, the newest first', () => {
    const operations = new Operations();
    for (let i = 0; i < 12; i++)
      add(operations, { subject: { network: 'web', container: `c${i}` }, error: fault.busy('ADD', 'lock', `no ${i}`) });
    add(operations);
    const errors = operations.lastErrors();
    assert.equal(errors.length, 10);
    assert.deepEqual(
      { ...errors[0], at: '' },
      { at: '', operation: 'ADD', subject: 'network web, container c11', message: 'ADD lock: no 11', code: 11 },
    );
    const last = all(operations).at(-2);
    assert.deepEqual([last?.result, last?.code, last?.kind], ['error', 11, 'busy']);
  });

  it('cuts what a caller makes long', () => {
    const operations = new Operations();
    const long = 'x'.repeat(1 << 20);
    const error = fault.busy('ADD', 'lock', long);
    add(operations, { subject: { container: long }, traceparent: long, error, did: Array(50).fill(long) });
    const [line = ''] = operations.lines(0, 1) ?? [];
    assert.ok(line.length < 4096, `${line.length} characters`);
    assert.deepEqual(JSON.parse(line).did.at(-1), '45 more');
  });

  it('wakes each waiting reader once, and none that has left', () => {
    const operations = new Operations();
    let [woken, left] = [0, 0];
    operations.whenNext(() => woken++);
    operations.whenNext(() => left++)();
    add(operations);
    add(operations);
    assert.deepEqual([woken, left], [1, 0]);
  });
});

describe('the tally of operations', () => {
  it('counts each duration in the first bucket that has room for it', () => {
    const tally = new Tally();
    for (const ms of [0.4, 0.5, 1, 3, 70_000]) tally.add('cni', 'ADD', 'ok', { ms, phases: { lock: ms } });
    tally.add('cni', 'ADD', 'error', { ms: 1, phases: {} });
    const [ok, error] = tally.operations();
    assert.deepEqual(ok?.labels, { camp: 'cni', operation: 'ADD', result: 'ok' });
    assert.deepEqual([ok?.count, ok?.buckets[0], ok?.buckets[1], ok?.buckets[BOUNDS.length]], [5, 2, 1, 1]);
    assert.ok(Math.abs((ok?.sum ?? 0) - 70.0049) < 1e-9);
    assert.deepEqual([error?.labels.result, error?.count], ['error', 1]);
    assert.deepEqual(
      tally.phases().map(({ labels, count }) => [labels, count]),
      [[{ operation: 'ADD', phase: 'lock' }, 5]],
    );
  });
});
