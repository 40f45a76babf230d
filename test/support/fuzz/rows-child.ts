// Changes rows of the state between calls, in the network namespace of a test host. Prints how many it changed.

import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { assertAnswer } from './answers.ts';
import { mutated } from './mutated.ts';
import { type FuzzTask, fuzz } from './run.ts';
import { openService } from './service.ts';

const task: FuzzTask = JSON.parse(process.argv[2] ?? '');
const service = openService(task.stateDir, task.pod, task.path);
let round = 0;

/** A network of its own for each round: what a changed row names stays, and is in nobody's way. */
const configOf = (n: number) => ({
  cniVersion: '1.1.0',
  name: `web${n}`,
  type: 'isthmus',
  bridge: `isth${n}`,
  isGateway: true,
  ipMasq: true,
  runtimeConfig: { portMappings: [{ hostPort: 10_000 + n, containerPort: 80, protocol: 'tcp' }] },
  ipam: { ranges: [[{ subnet: `10.${n >> 8}.${n & 255}.0/24` }]], dataDir: task.dataDir },
  'cni.dev/valid-attachments': [],
});

const TABLES = ['endpoints', 'networks'] as const;

const change = fc.record({
  table: fc.constantFrom(...TABLES),
  /** Chooses the changed body by this number: which mutation applies depends on the row. */
  text: fc.oneof({ weight: 1, arbitrary: fc.string() }, { weight: 1, arbitrary: fc.json() }),
  whole: fc.boolean(),
  seed: fc.nat(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Replaces the body of each row of the table: by any text, or by its own with one or two values changed. */
function damage({ table, text, whole, seed }: Change): void {
  using file = new DatabaseSync(join(task.stateDir, 'state.db'));
  const rows = file.prepare(`SELECT rowid, body FROM ${table}`).all();
  for (const { rowid, body } of rows) {
    const [changed] = whole
      ? [text]
      : fc.sample(mutated(JSON.parse(String(body))), { numRuns: 1, seed }).map((one) => JSON.stringify(one));
    file.prepare(`UPDATE ${table} SET body = ? WHERE rowid = ?`).run(changed ?? '', rowid ?? 0);
  }
}

/** Returns the error; empty for none. */
async function run(command: string): Promise<string> {
  const env = { CNI_CONTAINERID: `pod${round}`, CNI_IFNAME: `eth${round}` };
  const answer = await service.run({ plugin: 'isthmus', command, config: configOf(round), env });
  assertAnswer(answer);
  return answer.code === 0 ? '' : answer.stdout;
}

/** Forgets what damaged rows kept: the operator's way out is to delete the state. */
function clear(): void {
  using file = new DatabaseSync(join(task.stateDir, 'state.db'));
  for (const table of ['endpoints', 'networks', 'leases', 'ports']) file.exec(`DELETE FROM ${table}`);
}

async function attempt(given: Change, reconcile: boolean): Promise<void> {
  round++;
  assert.equal(await run('ADD'), '', 'ADD before the damage');
  damage(given);
  for (const command of ['CHECK', 'STATUS', 'ADD', 'GC']) await run(command);
  if (reconcile) await service.service.reconcile({ sweep: true });
  assert.equal(await run('DEL'), '', 'DEL of a damaged row');
  clear();
  assert.equal(await run('DEL'), '', 'DEL without a row');
}

fuzz(task, fc.asyncProperty(change, fc.boolean(), attempt)).then(
  (inputs) => {
    console.log(`rows: ${inputs} inputs`);
    process.exit(0);
  },
  (error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
