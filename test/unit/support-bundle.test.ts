import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import { AddressMap } from '../../cmd/cnm-shim/bundle/addresses.ts';
import { Redactor } from '../../cmd/cnm-shim/bundle/redact.ts';
import { isSecretName, REMOVED, Secrets } from '../../cmd/cnm-shim/bundle/secrets.ts';
import { type Addr, BITS, formatAddr, parseAddr } from '../../src/shared/model/addr.ts';

const KEY = new Uint8Array(32).fill(9);

const hexOf = ({ value }: Addr): string => value.toString(16).padStart(32, '0');

function addr(text: string): Addr {
  const found = parseAddr(text);
  assert.ok(found !== undefined, text);
  return found;
}

describe('secrets in a support bundle', () => {
  const removals: readonly [text: string, secret: string][] = [
    ['password=correcthorse', 'correcthorse'],
    ['"etcdPassword": "correct horse"', 'correct horse'],
    ['{"config":"{\\"token\\":\\"tok_123456\\"}"}', 'tok_123456'],
    ["api_key: 'abcdefgh'", 'abcdefgh'],
    ['Environment=AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI', 'wJalrXUtnFEMI'],
    ['Authorization: Bearer abcdef.123456', 'abcdef.123456'],
    ['https://root:hunter2@etcd.example:2379', 'hunter2'],
    ['x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln y', 'eyJhbGciOiJIUzI1NiJ9'],
    [`psk ${Buffer.alloc(32, 250).toString('base64')}`, '+vr6'],
    ['-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI\n-----END EC PRIVATE KEY-----', 'MHcCAQEEI'],
    ['-----BEGIN PRIVATE KEY-----\nMHcCAQEEI cut off', 'MHcCAQEEI'],
  ];
  for (const [text, secret] of removals)
    it(`removes ${secret} from ${text.slice(0, 40)}`, () => {
      const safe = new Secrets().withoutText(text);
      assert.ok(!safe.includes(secret) && safe.includes(REMOVED), safe);
    });

  const kept = ['"passwordFile": "/etc/pw"', 'key eth0 4', '"keys": 3', 'bypass=1', 'the token bucket filter tbf'];
  for (const text of kept) it(`keeps ${text}`, () => assert.equal(new Secrets().withoutText(text), text));

  it('removes values by their name, and where they occur again', () => {
    const secrets = new Secrets();
    const value = secrets.withoutValues({
      etcd: { password: 'hunter22', list: [{ token: ['aaaa1', 'bbbb2'] }] },
      a: 1,
    });
    assert.deepEqual(value, { etcd: { password: REMOVED, list: [{ token: REMOVED }] }, a: 1 });
    assert.equal(secrets.withoutText('log: hunter22 bbbb2'), `log: ${REMOVED} ${REMOVED}`);
  });

  it('knows names of secrets from names of places', () => {
    for (const name of ['password', 'etcd.passwd', 'API-KEY', 'clientKeyData', 'authToken', 'privateKey'])
      assert.equal(isSecretName(name), true, name);
    for (const name of ['passwordFile', 'key', 'tokenPath', 'secretName', 'author'])
      assert.equal(isSecretName(name), false, name);
  });
});

describe('addresses in a redacted support bundle', () => {
  const anyAddr = fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value): Addr => ({ family: 4, value })),
    fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value): Addr => ({ family: 6, value })),
  );
  const common = (a: Addr, b: Addr): number => {
    const different = a.value ^ b.value;
    return different === 0n ? BITS[a.family] : BITS[a.family] - different.toString(2).length;
  };

  it('keep the length of the prefix that two have in common, outside special ranges', () => {
    const map = new AddressMap(KEY);
    const [base, ...others] = ['10.88.0.1', '10.88.0.2', '10.88.1.1', '10.200.0.1'].map(addr) as [Addr, ...Addr[]];
    for (const other of others) assert.equal(common(map.map(base), map.map(other)), common(base, other));
    const [first, second] = [addr('2001:db8::1'), addr('2001:db8:0:1::1')];
    assert.equal(common(map.map(first), map.map(second)), common(first, second));
  });

  it('are replaced one by one: no two become the same', () => {
    const map = new AddressMap(KEY);
    fc.assert(
      fc.property(anyAddr, anyAddr, (a, b) => {
        const [x, y] = [map.map(a), map.map(b)];
        assert.equal(x.family, a.family);
        assert.equal(x.value === y.value && x.family === y.family, a.value === b.value && a.family === b.family);
        assert.deepEqual(map.map(a), x);
      }),
    );
  });

  it("stay what they are where they are nobody's, and keep their kind", () => {
    const map = new AddressMap(KEY);
    for (const text of ['127.0.0.1', '0.0.0.0', '::', '::1', '255.255.255.0', '224.0.0.251', 'ff02::2'])
      assert.equal(formatAddr(map.map(addr(text))), text);
    assert.match(formatAddr(map.map(addr('10.1.2.3'))), /^10\./);
    assert.match(formatAddr(map.map(addr('192.168.1.1'))), /^192\.168\./);
    assert.match(formatAddr(map.map(addr('fe80::1:2:3:4'))), /^fe80::/);
    assert.match(formatAddr(map.map(addr('10.88.0.0'), 16)), /^10\.\d+\.0\.0$/);
  });
});

describe('names in a redacted support bundle', () => {
  const redactor = (): Redactor => {
    const made = new Redactor(KEY);
    made.learn('web', 'network');
    made.learn('web-1', 'container');
    made.learn('node7.acme.example', 'host');
    return made;
  };

  it('are replaced as words, and as parts of words', () => {
    const text = 'network web, container web-1 on node7 (node7.acme.example): 10-web.conflist, web-2, website';
    assert.equal(
      redactor().text(text),
      'network network-1, container container-1 on host-2 (host-1): 10-network-1.conflist, network-1-2, website',
    );
  });

  it('and ids are the same ones everywhere, short or long', () => {
    const id = '0123456789abcdef'.repeat(4);
    const [long, short] = redactor()
      .text(`${id} ${id.slice(0, 12)}`)
      .split(' ');
    assert.equal(long, 'id-1');
    assert.equal(short, long);
    assert.match(redactor().text('b0d4c6a2-7d0a-4d59-9f6a-0c3f6a0f6d11'), /^uuid-1$/);
  });

  it('leave times, versions, counters and words of the trade', () => {
    const text = '2026-11-30T12:34:56.789Z bridge ADD v1.2 12:34:56 mtu 1500 packets 123456789012 cni0x nftables';
    assert.equal(redactor().text(text), text);
  });

  it('are learned from documents, labels and logs', () => {
    const made = new Redactor(KEY);
    made.learnFrom({ network: 'alpha', plugins: [{ bridge: 'br-beta' }], Labels: { 'com.gamma/team': 'delta' } });
    made.learnFromText('level=info network=epsilon container="zeta" dev eta0 https://theta.example:2379/ name of');
    made.learnFromText('{"name": "iota", "bridge": "br-kappa",\n broken log="{\\"network\\":\\"lambda\\"}"');
    assert.doesNotMatch(made.text('iota br-kappa lambda'), /iota|kappa|lambda/);
    const text = made.text('alpha br-beta com.gamma/team delta epsilon zeta eta0 theta.example of');
    assert.doesNotMatch(text, /alpha|beta|gamma|delta|epsilon|zeta|eta0|theta/);
    assert.match(text, / of$/);
  });

  it('are found in the forms in which programs print addresses', () => {
    const made = new Redactor(KEY);
    const text = made.text(
      '8000.52:54:00:12:34:56 inet 10.1.2.3/24 brd 10.1.2.255 fd66:1::53#53 [fd66:1::53]:80 10.1.2.3:80 10.1.2.3-10.1.2.9',
    );
    for (const address of ['52:54:00:12:34:56', '10.1.2.', 'fd66:1::53']) assert.ok(!text.includes(address), text);
    const bytes = made.text(
      '"veth0" . 0xfd660001000000000000000000000053, 0x64ff9b00000000000000000a010203, & 0xffffffffffffffff0000000000000000, mark 0x00004000',
    );
    assert.doesNotMatch(bytes, /fd6600010{10}|0a010203|0a010203/);
    assert.match(bytes, /& 0xffffffffffffffff0000000000000000, mark 0x00004000$/);
    const same = made.text('fd66:1::53');
    assert.ok(bytes.includes(`0x${hexOf(addr(same))}`), `${bytes} ${same}`);
    const logged = made.text('OUT= MAC=52:54:00:12:34:56:0a:58:0a:4d:00:02:08:00 SRC=10.1.2.3 DST=10.1.2.9 LEN=60');
    for (const part of ['52:54:00', '12:34:56', '0a:58:0a', '4d:00:02']) assert.ok(!logged.includes(part), logged);
    assert.match(logged, /MAC=(?:[0-9a-f]{2}:){12}08:00 SRC=/);
    assert.ok(logged.includes(`:${made.text('0a:58:0a:4d:00:02')}:08:00`), logged);
    const infiniband = 'link/infiniband 80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:1d:7a:91 brd';
    assert.ok(!made.text(infiniband).includes('f4:52:14'), made.text(infiniband));
    const [, found = ''] = /inet (\S+)\/24/.exec(text) ?? [];
    assert.ok(text.includes(` ${found}:80 `) && text.includes(` ${found}-`), text);
  });
});
