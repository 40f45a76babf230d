import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { encodeAnswer, encodeDecline, type Received, RequestReader } from '../../cmd/cnm-shim/cni/frames.ts';
import {
  ANSWER,
  ANSWER_BYTES,
  DECLINE,
  MAGIC,
  MAX_BODY,
  PROTOCOL_VERSION,
  REQUEST_BYTES,
} from '../../src/shared/runtime/cni/protocol.ts';

interface Parts {
  readonly argv0: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly version?: number;
  readonly magic?: number;
  readonly length?: number;
}

/** Encodes a request like launcher.c. */
function encode({ argv0, env, stdin, version = PROTOCOL_VERSION, magic = MAGIC, length }: Parts): Buffer {
  const entries = [argv0, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const body = Buffer.from(`${entries.map((entry) => `${entry}\0`).join('')}\0${stdin}`);
  const header = Buffer.alloc(REQUEST_BYTES);
  header.writeUInt32LE(magic, 0);
  header.writeUInt16LE(version, 4);
  header.writeUInt32LE(length ?? body.length, 8);
  header.writeInt32LE(7, 12);
  header.writeBigUInt64LE(2n ** 63n + 5n, 16);
  header.writeBigUInt64LE(4026531841n, 24);
  header.writeBigUInt64LE(2049n, 32);
  header.writeBigUInt64LE(131n, 40);
  return Buffer.concat([header, body]);
}

const CALL: Parts = { argv0: '/opt/cni/bin/isthmus', env: { CNI_COMMAND: 'ADD', PATH: '/bin' }, stdin: '{"name":"ö"}' };

function feed(bytes: Buffer, cuts: readonly number[] = []): Received {
  const reader = new RequestReader();
  let last: Received = { kind: 'partial' };
  let at = 0;
  for (const cut of [...cuts.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    if (cut === at && cut < bytes.length) continue;
    assert.equal(last.kind, 'partial', 'something came before the end');
    last = reader.push(bytes.subarray(at, cut));
    at = cut;
    if (at === bytes.length) break;
  }
  return last;
}

describe('launcher requests', () => {
  it('have every variable under its own name, also names on Object.prototype', () => {
    const variables = [['constructor', 'x'] as const, ['__proto__', 'y'] as const, ['toString', ''] as const];
    const received = feed(encode({ ...CALL, env: Object.fromEntries(variables) }));
    assert.equal(received.kind, 'request');
    assert.deepEqual(Object.entries(received.request.env), variables);
  });

  it('are complete however they are split', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '{', '"', 'ö', '\n', '=', '\0') }),
        fc.array(fc.nat(400)),
        (stdin, cuts) => {
          const received = feed(encode({ ...CALL, stdin }), cuts);
          assert.deepEqual(received, {
            kind: 'request',
            request: {
              argv0: CALL.argv0,
              env: CALL.env,
              stdin,
              netnsFd: 7,
              stateDir: '2049:131',
            },
          });
        },
      ),
    );
  });

  it('may be a megabyte or a line long', () => {
    const stdin = 'x'.repeat(1 << 20);
    const bytes = encode({ ...CALL, stdin });
    const received = feed(
      bytes,
      Array.from({ length: 40 }, (_, i) => i * 26_000),
    );
    assert.equal(received.kind === 'request' && received.request.stdin.length, stdin.length);
  });

  it('keep values with "=" and empty values, and the first of two duplicates', () => {
    const bytes = encode({ ...CALL, env: { CNI_ARGS: 'IP=1;MAC=2', CNI_PATH: '' } });
    const twice = encode({ ...CALL, env: { A: '1\0A=2' } });
    for (const [sent, env] of [
      [bytes, { CNI_ARGS: 'IP=1;MAC=2', CNI_PATH: '' }],
      [twice, { A: '1' }],
    ] as const) {
      const received = feed(sent);
      assert.deepEqual(received.kind === 'request' && received.request.env, env);
    }
  });

  const refused: readonly (readonly [string, Buffer, RegExp])[] = [
    ['of another program', encode({ ...CALL, magic: 1 }), /no request/],
    ['of another version', encode({ ...CALL, version: PROTOCOL_VERSION + 1 }), /speaks version 2, the daemon 1/],
    ['that would be too large', encode({ ...CALL, length: MAX_BODY + 1 }), /limit/],
    ['with more behind them', Buffer.concat([encode(CALL), Buffer.from('x')]), /1 bytes too many/],
    [
      'whose environment does not end',
      encode({ argv0: 'a', env: {}, stdin: '', length: 1 }).subarray(0, 49),
      /does not end/,
    ],
  ];
  for (const [name, bytes, why] of refused)
    it(`are rejected: ${name}`, () => {
      const received = feed(bytes);
      assert.match(received.kind === 'refused' ? received.why : received.kind, why);
    });

  it('do not fail if the launcher sent nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { kind } = new RequestReader().push(Buffer.from(bytes));
        assert.equal(kind, bytes.length < REQUEST_BYTES ? 'partial' : 'refused');
      }),
    );
  });
});

describe('launcher answers', () => {
  it('declare the lengths of their parts', () => {
    const frame = encodeAnswer(1, '{"ö"}', 'no');
    assert.deepEqual([frame[0], frame[1], frame.readUInt32LE(4), frame.readUInt32LE(8)], [ANSWER, 1, 6, 2]);
    assert.equal(frame.toString('utf8', ANSWER_BYTES), '{"ö"}no');
    assert.equal(frame.length, ANSWER_BYTES + 8);
  });

  it('can tell the launcher to run the stand-alone plugin', () => {
    assert.equal(encodeDecline('because').toString(), `${String.fromCharCode(DECLINE)}because`);
  });
});
