import { strict as assert } from 'node:assert';
import { parseTuning, type TuningInput } from '../../src/shared/config/tuning.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Json } from '../../src/shared/model/json.ts';

function parse(config: Json, more: Partial<TuningInput> = {}) {
  return parseTuning({ config, ifName: 'eth0', ...more });
}

function refused(config: Json, more: Partial<TuningInput> = {}, kind = 'invalid-config'): string {
  try {
    parse(config, more);
  } catch (error) {
    assert.ok(error instanceof NetError && error.kind === kind, String(error));
    assert.notEqual(error.hint, '');
    return error.message;
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(config)} was taken` });
}

describe('tuning of a configuration', () => {
  it('is empty for missing values and for values that change nothing', () => {
    for (const config of [{}, { sysctl: {}, mac: '', mtu: 0, promisc: false }, { sysctl: null, args: { cni: null } }]) {
      assert.deepEqual(parse(config), { sysctls: new Map() });
    }
  });

  it("reads the plugin's own keys", () => {
    const config = {
      sysctl: { 'net.core.somaxconn': '500', 'net/ipv4/ip_forward': '1' },
      mac: '0A-58-0A-16-00-07',
      mtu: 1400,
      promisc: true,
      allmulti: false,
      txQLen: 0,
    };
    assert.deepEqual(parse(config), {
      sysctls: new Map([
        ['net/core/somaxconn', '500'],
        ['net/ipv4/ip_forward', '1'],
      ]),
      mac: '0a:58:0a:16:00:07',
      mtu: 1400,
      promisc: true,
      allMulticast: false,
      txQueueLength: 0,
    });
  });

  it('puts args.cni before the rest, with and without a sysctl key beside it', () => {
    const cni = { sysctl: { 'net.core.somaxconn': '7' }, mtu: 1300, promisc: false, allmulti: true, txQLen: 9 };
    const own = { sysctl: { 'net/core/somaxconn': '500' }, mtu: 1400, promisc: true, allmulti: false, txQLen: 5 };
    for (const config of [{ args: { cni } }, { ...own, args: { cni } }]) {
      assert.deepEqual(parse(config), {
        sysctls: new Map([['net/core/somaxconn', '7']]),
        mtu: 1300,
        allMulticast: true,
        txQueueLength: 9,
      });
    }
  });

  it('takes the MAC from args.cni, the runtime, CNI_ARGS or the configuration, in this order', () => {
    const mac = (n: number): string => `02:00:00:00:00:0${n}`;
    const all = { mac: mac(4), runtimeConfig: { mac: mac(2) }, args: { cni: { mac: mac(1) } } };
    const given = { mac: mac(3) };
    assert.equal(parse(all, given).mac, mac(1));
    assert.equal(parse({ ...all, args: {} }, given).mac, mac(2));
    assert.equal(parse({ ...all, args: {}, runtimeConfig: {} }, given).mac, mac(3));
    assert.equal(parse({ mac: mac(4) }).mac, mac(4));
  });

  it('replaces IFNAME with the name of the interface, whatever that is', () => {
    const sysctl = { 'net.ipv4.conf.IFNAME.arp_filter': '1' };
    for (const ifName of ['eth0', 'eth0.7', 'a$&b']) {
      assert.deepEqual([...parse({ sysctl }, { ifName }).sysctls.keys()], [`net/ipv4/conf/${ifName}/arp_filter`]);
    }
  });

  it('rejects sysctls outside net', () => {
    for (const key of ['kernel.hostname', 'net', 'net.ipv4', 'net/../kernel/hostname', 'net..x.y', '', 'vm/x/net.a']) {
      assert.match(refused({ sysctl: { [key]: '1' } }), /\.sysctl\[".*"\]="1": it is not a sysctl of the network/);
    }
    assert.match(
      refused({ args: { cni: { sysctl: { 'kernel.x': '1' } } } }),
      /\.args\.cni\.sysctl\["kernel\.x"\]="1": /,
    );
  });

  it('sets only what the allowlist permits, if there is one', () => {
    const sysctl = { 'net.core.somaxconn': '500' };
    assert.equal(parse({ sysctl }, { allowlist: ['^net\\.core\\.', 'x'] }).sysctls.size, 1);
    assert.match(refused({ sysctl }, { allowlist: ['^net\\.ipv4\\.'] }), /net\.core\.somaxconn.*allowlist has 1 line/);
    assert.match(refused({ sysctl }, { allowlist: [] }), /allowlist has 0 lines/);
    assert.match(refused({ args: { cni: { sysctl } } }, { allowlist: ['^net.ipv4'] }), /\.args\.cni\.sysctl/);
    assert.match(refused({ sysctl }, { allowlist: ['*'] }), /allowlist\.conf: its line "\*" is no regular expression/);
    assert.equal(parse({ mtu: 1400 }, { allowlist: [] }).mtu, 1400);
  });

  it('rejects values of the wrong type and names key and value', () => {
    for (const [config, expected] of [
      [{ sysctl: [] }, /\.sysctl=\[\]: it is not an object/],
      [{ sysctl: { 'net.core.somaxconn': 500 } }, /\.sysctl\["net\.core\.somaxconn"\]=500: it is not a string/],
      [{ mtu: '1400' }, /\.mtu="1400": /],
      [{ mtu: 67 }, /\.mtu=67: .*68 or more/],
      [{ mtu: -1 }, /\.mtu=-1: /],
      [{ txQLen: -1 }, /\.txQLen=-1: /],
      [{ txQLen: 2 ** 31 }, /\.txQLen=2147483648: /],
      [{ promisc: 'yes' }, /\.promisc="yes": it is not a boolean/],
      [{ args: { cni: { allmulti: 1 } } }, /\.args\.cni\.allmulti=1: it is not a boolean/],
      [{ mac: 'nonsense' }, /\.mac="nonsense": it is not a MAC address/],
      [{ mac: 7 }, /\.mac=7: it is not a MAC address/],
      [{ runtimeConfig: { mac: '01:00:00:00:00:00' } }, /\.runtimeConfig\.mac=.*group address/],
    ] as const) {
      assert.match(refused(config), expected);
    }
    assert.match(refused({}, { mac: 'x' }, 'bad-environment'), /CNI_ARGS MAC="x": it is not a MAC address/);
  });
});
