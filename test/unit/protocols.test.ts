import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { generateProtocol, OUTPUT, PROTOCOL } from '../../build/protocols.ts';
import {
  Compare,
  Event,
  Event_EventType,
  LeaseGrantRequest,
  WatchResponse,
} from '../../src/shared/store/etcd/rpc.generated.ts';
import { KVService } from '../../src/shared/store/etcd/services.ts';

describe('protocols', () => {
  it('has messages that are up to date (else: npm run protocols)', () => {
    assert.ok(readFileSync(OUTPUT, 'utf8') === generateProtocol(PROTOCOL), 'rpc.generated.ts is stale');
  });

  it('encodes as etcd does', () => {
    assert.equal(KVService.txn.path, '/etcdserverpb.KV/Txn');
    const key = Buffer.from('a');
    const compare = {
      result: 0,
      target: 1,
      key,
      targetUnion: { $case: 'createRevision', value: 0n },
      rangeEnd: Buffer.alloc(0),
    } as const;
    assert.equal(Buffer.from(Compare.encode(compare).finish()).toString('hex'), '10011a01612800');
  });

  it('keeps all 64 bits of a lease', () => {
    const message = { TTL: 30n, ID: 0x7fff_ffff_ffff_fffdn };
    assert.deepEqual(LeaseGrantRequest.decode(LeaseGrantRequest.encode(message).finish()), message);
  });

  it('skips the fields of later releases', () => {
    const kv = {
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      createRevision: 1n,
      modRevision: 2n,
      version: 1n,
      lease: 0n,
    };
    const event = Event.encode({ type: Event_EventType.DELETE, kv }).finish();
    // Field 99, a varint.
    const bytes = Buffer.concat([Buffer.from([0x5a, event.length]), event, Buffer.from([0x98, 0x06, 0x01])]);
    const response = WatchResponse.decode(bytes);
    assert.deepEqual(response.events, [{ type: Event_EventType.DELETE, kv }]);
  });
});
