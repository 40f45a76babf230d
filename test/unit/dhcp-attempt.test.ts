import { strict as assert } from 'node:assert';
import { Attempt } from '../../cmd/cnm-shim/dhcp/attempt.ts';
import { startClient } from '../../src/shared/dhcp/client.ts';
import type { Client } from '../../src/shared/dhcp/states.ts';
import { attachmentOf } from '../support/core.ts';

const MAC = '02:00:00:00:00:01';
const IDENTITY = { mac: MAC, clientId: new Uint8Array(1), broadcast: false, request: [], provide: new Map() };
const CLIENT: Client = {
  ...startClient({ identity: IDENTITY, now: 0, random: () => 0.5 }),
  ...{ phase: 'selecting', sent: 3 },
};

describe('the error of an ADD without a lease', () => {
  const textOf = (prepare: (attempt: Attempt) => void, client = CLIENT): string => {
    const attempt = new Attempt(attachmentOf());
    prepare(attempt);
    return attempt.failed(client, MAC, 10).what;
  };

  it('counts the messages without an answer, and gives the error that stopped one from being sent', () => {
    assert.equal(
      textOf(() => {}),
      `3 DISCOVER were unanswered (within 10 s, from ${MAC})`,
    );
    assert.match(
      textOf((attempt) => attempt.met('the link is down')),
      /^3 DISCOVER were unanswered; the link is down/,
    );
  });

  it('does not say so where a server answered with nonsense, which it names once', () => {
    const why = 'has a malformed subnet mask';
    const text = textOf((attempt) => {
      for (let i = 0; i < 2; i++) attempt.heard({ do: 'ignored', why });
    });
    assert.equal(text, `no server has offered an address that can be used; a server ${why} (within 10 s, from ${MAC})`);
  });

  it('tells of a server that refuses what it has offered, and of an address that another has', () => {
    assert.match(
      textOf(() => {}, { ...CLIENT, phase: 'waiting', refusals: 1 }),
      /the server refused the address/,
    );
    const address = { family: 4, value: 0x0a050009n } as const;
    const taken = textOf((attempt) => attempt.heard({ do: 'declined', address, mac: '02:00:00:00:00:99' }));
    assert.match(taken, /02:00:00:00:00:99 has 10\.5\.0\.9 already/);
  });
});
