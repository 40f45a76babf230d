import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readResolvConf } from '../../src/shared/config/dns.ts';
import { type HostLocalInput, parseHostLocal, parseStatic } from '../../src/shared/config/ipam.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { formatSet } from '../../src/shared/ipam/ranges.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { formatPrefix, parsePrefix } from '../../src/shared/model/prefix.ts';
import { formatRoute } from '../../src/shared/model/route.ts';
import { makeTempDir } from '../support/temp.ts';
import { range } from './ipam-support.ts';

const BASE = { path: '.ipam', strict: true, multiFamily: true, requested: [] } as const;
const S = { subnet: '10.88.0.0/16' };

function parse(ipam: unknown, changes: Partial<HostLocalInput> = {}): ReturnType<typeof parseHostLocal> {
  return parseHostLocal({ ...BASE, ipam, ...changes });
}

function failure(work: () => unknown): NetError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.message.includes('\n'), false);
    assert.notEqual(error.hint, '', error.message);
    return error;
  }
  return assert.fail('nothing was thrown');
}

describe('config: host-local', () => {
  it('fills in gateway, start and end', () => {
    assert.deepEqual(parse({ ...S, type: 'host-local' }), {
      sets: [[range('10.88.0.0/16')]],
      ranges: [[{ subnet: parsePrefix('10.88.0.0/16') }]],
      routes: [],
      dataDir: '/var/lib/cni/networks',
      requested: [],
    });
    assert.deepEqual(parse({ subnet: 'fd00::/64' }).sets, [[range('fd00::/64', { end: 'fd00::ffff:ffff:ffff:ffff' })]]);
    assert.deepEqual(parse({ ...S, gateway: '10.88.9.9', rangeStart: '10.88.0.10', rangeEnd: '10.88.0.10' }).sets, [
      [range('10.88.0.0/16', { gateway: '10.88.9.9', start: '10.88.0.10', end: '10.88.0.10' })],
    ]);
  });

  it("orders ranges: the runtime's, then the single one, then the sets", () => {
    const spec = parse(
      { ...S, ranges: [[{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24' }], [{ subnet: 'fd00::/64' }]] },
      { ipRanges: [[{ Subnet: '10.9.0.0/24', rangeStart: '10.9.0.5' }]] },
    );
    assert.deepEqual(spec.sets.map(formatSet), [
      '10.9.0.0/24 (10.9.0.5-10.9.0.254)',
      '10.88.0.0/16',
      '10.1.0.0/24, 10.2.0.0/24',
      'fd00::/64',
    ]);
  });

  it('allows several ranges in one subnet', () => {
    const part = (start: string, end: string): object => ({ ...S, rangeStart: start, rangeEnd: end });
    const spec = parse({ ranges: [[part('10.88.0.10', '10.88.0.19'), part('10.88.0.20', '10.88.0.29')]] });
    assert.equal(spec.sets[0]?.length, 2);
  });

  it('reads every route key of CNI 1.1.0 and clears host bits', () => {
    const routes = [
      { dst: '0.0.0.0/0' },
      { dst: '10.9.8.7/8', gw: '10.88.0.1', mtu: 1400, advmss: 1300, priority: 5, table: 100, scope: 253 },
      { dst: 'fd00::/8', gw: null, mtu: 0 },
    ];
    assert.deepEqual(parse({ ...S, routes }).routes.map(formatRoute), [
      { dst: '0.0.0.0/0' },
      { dst: '10.0.0.0/8', gateway: '10.88.0.1', mtu: 1400, advmss: 1300, priority: 5, table: 100, scope: 253 },
      { dst: 'fd00::/8' },
    ]);
  });

  it('takes a link-local gateway of IPv6, which is in no subnet', () => {
    const [set] = parse({ subnet: 'fd00::/64', gateway: 'fe80::1' }).sets;
    assert.equal(formatAddr(set?.[0]?.gateway ?? { family: 6, value: 0n }), 'fe80::1');
  });

  it('treats null and the empty text as a missing key', () => {
    const ipam = { ...S, gateway: null, rangeStart: '', rangeEnd: '', ranges: null, routes: null, dataDir: '' };
    assert.deepEqual(parse({ ...ipam, resolvConf: null }), parse(S));
  });

  it('collects requested addresses of all sources, each once, without prefix lengths', () => {
    const requested = [
      { text: '10.88.0.5, 10.89.0.6/24', path: 'CNI_ARGS IP' },
      { text: 'fd00:0::9/64', path: '.args.cni.ips[0]' },
      { text: '10.88.0.5', path: '.runtimeConfig.ips[0]' },
    ];
    const ranges = [[{ subnet: '10.89.0.0/24' }], [{ subnet: 'fd00::/64' }]];
    assert.deepEqual(parse({ ...S, ranges }, { requested }).requested.map(formatAddr), [
      '10.88.0.5',
      '10.89.0.6',
      'fd00::9',
    ]);
  });

  it('names the source of a requested address that is outside every range', () => {
    const requested = [{ text: '10.88.0.5, 10.99.0.6/24', path: 'CNI_ARGS IP' }];
    assert.throws(() => parse(S, { requested }), /CNI_ARGS IP="10\.99\.0\.6\/24": it is outside 10\.88\.0\.0\/16/);
  });

  it('reads the file of resolvConf', () => {
    using directory = makeTempDir();
    const file = join(directory.path, 'resolv.conf');
    writeFileSync(
      file,
      '# none\n; none\nnameserver 10.0.0.53\n nameserver\tfd00::53 \ndomain a.example\nsearch a b\nsearch c\noptions ndots:5 rotate\nnameserver\nsortlist 10.0.0.0\n',
    );
    assert.deepEqual(parse({ ...S, resolvConf: file }).dns, {
      nameservers: ['10.0.0.53', 'fd00::53'],
      domain: 'a.example',
      search: ['a', 'b', 'c'],
      options: ['ndots:5', 'rotate'],
    });
    writeFileSync(file, '');
    assert.deepEqual(parse({ ...S, resolvConf: file }).dns, {});
  });

  it('replaces the stub of systemd-resolved, which no container reaches, by the servers that it asks', () => {
    using directory = makeTempDir();
    const [file, resolved] = [join(directory.path, 'resolv.conf'), join(directory.path, 'resolved.conf')];
    const read = (text: string) => {
      writeFileSync(file, text);
      return readResolvConf(file, '.ipam.resolvConf', resolved);
    };
    const stub = 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n';
    const asIs = { nameservers: ['127.0.0.53'], search: ['lan'], options: ['edns0', 'trust-ad'] };
    assert.deepEqual(read(stub), asIs, 'somebody else has this address: systemd-resolved has written nothing');
    writeFileSync(resolved, 'nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch lan\n');
    assert.deepEqual(read(stub), { nameservers: ['192.0.2.53', '2001:db8::53'], search: ['lan'] });
    assert.deepEqual(read('nameserver 127.0.0.54\n').nameservers, ['192.0.2.53', '2001:db8::53']);
    assert.deepEqual(read('nameserver 127.0.0.53\nnameserver 192.0.2.9\nsearch a\n'), {
      ...{ nameservers: ['192.0.2.9'], search: ['a'] },
    });
    assert.deepEqual(read('nameserver 127.0.0.1\n'), { nameservers: ['127.0.0.1'] }, 'not a stub');
    assert.deepEqual(read('search a\n'), { search: ['a'] });
  });

  it('ignores unknown keys, and the case of known ones, only in lenient mode', () => {
    const ipam = {
      Subnet: '10.1.0.0/24',
      DataDir: '/d/',
      extra: 1,
      rangeStart: '10.1.0.7',
      RANGES: [[{ SubNet: 'fd00::/64', x: 1 }]],
    };
    const spec = parse(ipam, { strict: false });
    assert.deepEqual(spec.sets.map(formatSet), ['10.1.0.0/24 (10.1.0.7-10.1.0.254)', 'fd00::/64']);
    assert.equal(spec.dataDir, '/d');
    assert.equal(failure(() => parse(ipam)).kind, 'invalid-config');
    assert.deepEqual(parse({ rangeStart: '10.1.0.7', ranges: [[S]] }, { strict: false }).sets, parse(S).sets);
  });

  const bad: readonly [what: string, ipam: unknown, message: RegExp, changes?: Partial<HostLocalInput>][] = [
    ['no object', [], /\.ipam=\[\]: it is not an object/],
    ['no range', { type: 'host-local' }, /\.ipam=.*there is no range/],
    ['a number for a subnet', { subnet: 10 }, /\.ipam\.subnet=10: it is not a string/],
    ['a malformed subnet', { subnet: 'ten' }, /\.ipam\.subnet="ten": it is not a network/],
    ['an address for a subnet', { subnet: '10.88.0.0' }, /\.ipam\.subnet="10\.88\.0\.0": it is not a network/],
    ['host bits', { subnet: '10.88.0.1/16' }, /subnet="10\.88\.0\.1\/16": host bits are set\. Write 10\.88\.0\.0\/16/],
    ['a /31', { subnet: '10.88.0.0/31' }, /no room.*Use a prefix length of 30 or less/],
    ['a /127', { subnet: 'fd00::/127' }, /no room.*Use a prefix length of 126 or less/],
    [
      'a gateway outside',
      { ...S, gateway: '10.89.0.1' },
      /\.ipam\.gateway="10\.89\.0\.1": it is outside subnet 10\.88/,
    ],
    [
      'a link-local gateway of IPv4',
      { ...S, gateway: '169.254.1.1' },
      /\.ipam\.gateway="169\.254\.1\.1": it is outside/,
    ],
    ['a gateway of another family', { ...S, gateway: 'fd00::1' }, /\.ipam\.gateway="fd00::1": it is outside/],
    ['a gateway that is no address', { ...S, gateway: 'gw' }, /\.ipam\.gateway="gw": it is not an IP address/],
    ['a start outside', { ...S, rangeStart: '10.87.0.1' }, /\.ipam\.rangeStart="10\.87\.0\.1": it is outside/],
    ['an end outside', { ...S, rangeEnd: '10.89.0.1' }, /\.ipam\.rangeEnd="10\.89\.0\.1": it is outside/],
    [
      'ends swapped',
      { ...S, rangeStart: '10.88.0.9', rangeEnd: '10.88.0.8' },
      /rangeStart.*above rangeEnd 10\.88\.0\.8/,
    ],
    [
      'a start without a subnet',
      { rangeStart: '10.88.0.9', ranges: [[S]] },
      /\.ipam\.rangeStart.*needs \.ipam\.subnet/,
    ],
    ['ranges that are no list', { ranges: S }, /\.ipam\.ranges=.*it is not an array/],
    ['a range set that is no list', { ranges: [S] }, /\.ipam\.ranges\[0\]=.*it is not an array/],
    ['an empty range set', { ranges: [[]] }, /\.ipam\.ranges\[0\]=\[\]/],
    ['a range without subnet', { ranges: [[{}]] }, /\.ipam\.ranges\[0\]\[0\]\.subnet: it is missing/],
    ['a bad subnet in a set', { ranges: [[S, { subnet: 'x' }]] }, /\.ipam\.ranges\[0\]\[1\]\.subnet="x"/],
    [
      'both families in a set',
      { ranges: [[S, { subnet: 'fd00::/64' }]] },
      /\[0\]\[1\]\.subnet="fd00::\/64": it is IPv6/,
    ],
    [
      'overlap in a set',
      { ranges: [[S, { subnet: '10.88.1.0/24' }]] },
      /\[0\]\[1\]\.subnet.*overlaps 10\.88\.0\.0\/16/,
    ],
    [
      'overlap of sets',
      { ranges: [[S], [{ subnet: '10.88.1.0/24' }]] },
      /\.ipam\.ranges\[1\]=.*overlaps \.ipam\.ranges\[0\]/,
    ],
    ['overlap with the single range', { ...S, ranges: [[S]] }, /\.ipam\.ranges\[0\]=.*overlaps \.ipam\.subnet/],
    ['overlap with the runtime', S, /\.ipam\.subnet=.*overlaps \.runtimeConfig\.ipRanges\[0\]/, { ipRanges: [[S]] }],
    [
      'ranges of the runtime that are none',
      S,
      /\.runtimeConfig\.ipRanges\[0\]=3: it is not an array/,
      { ipRanges: [3] },
    ],
    [
      'two of a family before 0.3.0',
      { ...S, ranges: [[{ subnet: '10.1.0.0/24' }]] },
      /CNI 0\.3\.0/,
      { multiFamily: false },
    ],
    [
      'a misspelt key',
      { subnett: '10.88.0.0/16' },
      /\.ipam\.subnett="10\.88\.0\.0\/16": there is no such key\. Did you mean subnet\?/,
    ],
    ['a key in the wrong case', { ...S, datadir: '/x' }, /\.ipam\.datadir="\/x".*Did you mean dataDir\?/],
    ['an unknown key', { ...S, colour: 1 }, /\.ipam\.colour=1: there is no such key\. Known keys: type, /],
    [
      'a misspelt key in a range',
      { ranges: [[{ ...S, gatewy: '10.88.0.1' }]] },
      /ranges\[0\]\[0\]\.gatewy.*Did you mean gateway\?/,
    ],
    ['routes that are no list', { ...S, routes: {} }, /\.ipam\.routes=\{\}: it is not an array/],
    ['a route without dst', { ...S, routes: [{ gw: '10.88.0.1' }] }, /\.ipam\.routes\[0\]\.dst: it is missing/],
    [
      'a route to nowhere',
      { ...S, routes: [{ dst: 'default' }] },
      /\.ipam\.routes\[0\]\.dst="default": it is not an address/,
    ],
    [
      'a route by nobody',
      { ...S, routes: [{ dst: '0.0.0.0/0', gw: 'x' }] },
      /routes\[0\]\.gw="x": it is not an IP address/,
    ],
    [
      'a route by another family',
      { ...S, routes: [{ dst: '::/0', gw: '10.88.0.1' }] },
      /\.gw="10\.88\.0\.1": it is IPv4/,
    ],
    [
      'a negative priority',
      { ...S, routes: [{ dst: '::/0', priority: -1 }] },
      /routes\[0\]\.priority=-1: it must be >= 0/,
    ],
    ['a scope that is text', { ...S, routes: [{ dst: '::/0', scope: 'link' }] }, /scope="link": it is not an integer/],
    [
      'a missing resolvConf',
      { ...S, resolvConf: '/nowhere/resolv.conf' },
      /\.ipam\.resolvConf=.*cannot be read: ENOENT/,
    ],
    [
      'a request that is none',
      S,
      /\.args\.cni\.ips\[0\]="ten"/,
      { requested: [{ text: 'ten', path: '.args.cni.ips[0]' }] },
    ],
  ];
  for (const [what, ipam, message, changes] of bad)
    it(`rejects ${what}`, () => {
      const error = failure(() => parse(ipam, changes));
      assert.equal(error.kind, 'invalid-config');
      assert.match(error.message, message);
    });

  it('names the environment variable if that has the bad value', () => {
    const error = failure(() => parse(S, { requested: [{ text: '10.88.0', path: 'CNI_ARGS IP' }] }));
    assert.equal(error.kind, 'bad-environment');
    assert.match(error.message, /CNI_ARGS IP="10\.88\.0": it is not an IP address/);
  });
});

describe('config: static', () => {
  const base = { path: '.ipam', strict: true, multiFamily: true } as const;
  const addresses = [{ address: '10.10.0.5/24', gateway: '10.10.0.254' }, { address: '3ffe:ffff:0:1ff::1/64' }];
  const shown = (spec: ReturnType<typeof parseStatic>): string[] =>
    spec.addresses.map(({ address, gateway }) => `${formatPrefix(address)} ${gateway ? formatAddr(gateway) : '-'}`);

  it('returns the configured addresses', () => {
    const dns = { nameservers: ['10.1.0.1'], domain: 'example', search: ['example'], options: [] };
    const spec = parseStatic({ ...base, ipam: { type: 'static', addresses, routes: [{ dst: '0.0.0.0/0' }], dns } });
    assert.deepEqual(shown(spec), ['10.10.0.5/24 10.10.0.254', '3ffe:ffff:0:1ff::1/64 -']);
    assert.deepEqual(spec.routes.map(formatRoute), [{ dst: '0.0.0.0/0' }]);
    assert.deepEqual(spec.dns, { nameservers: ['10.1.0.1'], domain: 'example', search: ['example'] });
  });

  it('adds addresses and gateways of CNI_ARGS, and lets the addresses of the runtime override all of them', () => {
    const given = { ipam: { addresses }, gateways: [{ text: '10.10.0.1,fd01::1', path: 'CNI_ARGS GATEWAY' }] };
    const added = [{ text: '10.10.0.9/24, fd01::5/64', path: 'CNI_ARGS IP' }];
    assert.deepEqual(shown(parseStatic({ ...base, ...given, added })), [
      '10.10.0.5/24 10.10.0.1',
      '3ffe:ffff:0:1ff::1/64 -',
      '10.10.0.9/24 10.10.0.1',
      'fd01::5/64 fd01::1',
    ]);
    const overriding = [{ text: '10.10.0.7/24', path: '.runtimeConfig.ips[0]' }];
    assert.deepEqual(shown(parseStatic({ ...base, ...given, added, overriding })), ['10.10.0.7/24 -']);
  });

  const bad: readonly [what: string, ipam: unknown, message: RegExp][] = [
    ['an address without length', { addresses: [{ address: '10.0.0.1' }] }, /addresses\[0\]\.address="10\.0\.0\.1"/],
    ['no address', { addresses: [{}] }, /\.ipam\.addresses\[0\]\.address: it is missing/],
    ['a gateway that is none', { addresses: [{ address: '10.0.0.1/8', gateway: 'x' }] }, /addresses\[0\]\.gateway="x"/],
    [
      'a gateway that no host has',
      { addresses: [{ address: '10.0.0.1/8', gateway: '127.0.0.1' }] },
      /addresses\[0\]\.gateway="127\.0\.0\.1": it is loopback/,
    ],
    [
      'a foreign gateway',
      { addresses: [{ address: '10.0.0.1/8', gateway: 'fd00::1' }] },
      /gateway="fd00::1": it is IPv6/,
    ],
    ['a misspelt key', { adresses: [] }, /\.ipam\.adresses=\[\].*Did you mean addresses\?/],
    ['dns of the wrong type', { dns: { search: 'a' } }, /\.ipam\.dns\.search="a": it is not an array/],
  ];
  for (const [what, ipam, message] of bad)
    it(`rejects ${what}`, () => {
      assert.match(failure(() => parseStatic({ ...base, ipam })).message, message);
    });

  it('rejects several addresses of a family before CNI 0.3.0', () => {
    const ipam = { addresses: [{ address: '10.0.0.1/8' }, { address: '10.0.0.2/8' }] };
    assert.match(failure(() => parseStatic({ ...base, ipam, multiFamily: false })).message, /more than one of IPv4/);
    assert.equal(parseStatic({ ...base, ipam: { addresses }, multiFamily: false }).addresses.length, 2);
  });
});
