import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { meet, type PortMapping } from '../../src/shared/config/port-mappings.ts';
import { type PortRequest, type PortScene, pickPorts } from '../../src/shared/core/ports/pick-ports.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { addrOf } from '../support/addresses.ts';
import { refusedWith } from '../support/core.ts';

/** `8080:80/udp`, `127.0.0.1:8000-8010:80`, `:80`; the host address in brackets if it has colons. */
function request(text: string): PortRequest {
  const found = /^(?:(?<ip>\[[^\]]*\]|[\d.]+):)?(?<from>\d*)(?:-(?<to>\d+))?:(?<port>\d+)(?:\/(?<proto>\w+))?$/.exec(
    text,
  );
  const { ip, from, to, port, proto } = found?.groups ?? {};
  const hostPort = Number(from ?? 0);
  return {
    protocol: proto === 'udp' || proto === 'sctp' ? proto : 'tcp',
    hostPort,
    hostPortEnd: Number(to ?? hostPort),
    containerPort: Number(port),
    ...(ip === undefined ? {} : { hostIp: addrOf(ip.replace(/[[\]]/g, '')) }),
  };
}

function text({ protocol, hostIp, family, hostPort, containerPort }: PortMapping): string {
  const where = hostIp ?? (family === undefined ? '' : `v${family}`);
  return `${where}${where && ' '}${hostPort}:${containerPort}/${protocol}`;
}

interface Taken {
  /** Ports of other endpoints. */
  readonly claimed?: readonly number[];
  /** Ports on which processes listen. */
  readonly listened?: readonly number[];
}

function scene({ claimed = [], listened = [] }: Taken = {}, given: Partial<PortScene> = {}): PortScene {
  return {
    current: [],
    ephemeral: { first: 40_000, last: 40_009 },
    reserved: [],
    start: 0,
    listener: ({ hostPort }) => (listened.includes(hostPort) ? () => 'nginx (pid 812) listens on it' : undefined),
    claim: ({ hostPort }) =>
      claimed.includes(hostPort)
        ? new NetError({ kind: 'conflict', op: 'ports', subject: `host port ${hostPort}`, what: 'container c1 has it' })
        : undefined,
    ...given,
  };
}

function pick(requests: readonly string[], at = scene()): string[] {
  return pickPorts(requests.map(request), at).map(text);
}

describe('pickPorts', () => {
  it('keeps a named port, whatever the order of the requests', () => {
    const wanted = ['8080:80', '127.0.0.1:8081:81/udp', '0.0.0.0:8082:82', '[::]:8082:82', '[::1]:9:9/sctp'];
    const expected = ['::1 9:9/sctp', '8080:80/tcp', '127.0.0.1 8081:81/udp', 'v4 8082:82/tcp', 'v6 8082:82/tcp'];
    assert.deepEqual(pick(wanted).sort(), expected.sort());
    assert.deepEqual(pick(wanted), pick(wanted.toReversed()));
  });

  it('gives the first free ports of a range, the lower container port the lower one', () => {
    assert.deepEqual(pick(['8000-8009:80']), ['8000:80/tcp']);
    assert.deepEqual(pick(['8000-8009:81', '8000-8009:80', '8000-8009:82']), [
      '8000:80/tcp',
      '8001:81/tcp',
      '8002:82/tcp',
    ]);
    assert.deepEqual(pick(['8000-8009:80'], scene({ claimed: [8000, 8002], listened: [8001] })), ['8003:80/tcp']);
  });

  it('reserves a named port for the request that names it', () => {
    assert.deepEqual(pick([':82', '8000-8001:80', '8000:81', '40000:9']), [
      '40000:9/tcp',
      '8000:81/tcp',
      '8001:80/tcp',
      '40001:82/tcp',
    ]);
  });

  it('walks the ephemeral ports from the given start, past taken and reserved ones', () => {
    const taken = { claimed: [40_008], listened: [40_009] };
    const at = scene(taken, { start: 1_000_007, reserved: [{ first: 40_000, last: 40_001 }] });
    assert.deepEqual(pick([':80', ':81'], at), ['40007:80/tcp', '40002:81/tcp']);
  });

  it('allows a reserved port that is named, alone or by a range', () => {
    const at = scene({}, { reserved: [{ first: 8000, last: 8009 }] });
    assert.deepEqual(pick(['8000:80', '8001-8002:81'], at), ['8000:80/tcp', '8001:81/tcp']);
  });

  it('gives one number to several protocols and several addresses', () => {
    const wanted = ['53:53', '53:53/udp', '127.0.0.1:54:54', '127.0.0.2:54:55'];
    assert.equal(new Set(pick(wanted)).size, 4);
    assert.deepEqual(pick(['8000-8001:80', '8000-8001:80/udp']), ['8000:80/tcp', '8000:80/udp']);
  });

  it('keeps ports in force, for a range and for any port, once', () => {
    const current: PortMapping[] = [
      { protocol: 'tcp', hostPort: 8003, containerPort: 80 },
      { protocol: 'tcp', hostPort: 40_005, containerPort: 81 },
      { protocol: 'udp', hostPort: 40_006, containerPort: 82 },
    ];
    const at = scene({}, { current });
    assert.deepEqual(pick(['8000-8009:80', ':81', ':82'], at), ['8003:80/tcp', '40005:81/tcp', '40000:82/tcp']);
    assert.deepEqual(pick([':81', ':81'], at), ['40005:81/tcp', '40000:81/tcp']);
    assert.deepEqual(pick(['8000-8002:80'], at), ['8000:80/tcp']);
  });

  it('counts a repeated request once', () => {
    assert.deepEqual(pick(['8080:80', '8080:80']), ['8080:80/tcp']);
  });

  it('refuses one host port for two ports of the container', () => {
    const twice = refusedWith('conflict', /host port 8080\/tcp: is requested twice: for port 80 and for port 81/);
    assert.throws(() => pick(['8080:80', '8080:81']), twice);
    assert.throws(() => pick(['8080:80', '127.0.0.1:8080:80']), refusedWith('conflict', /127.0.0.1 8080\/tcp/));
  });

  it("rejects a named port that is taken, with the holder's message", () => {
    assert.throws(() => pick(['8080:80'], scene({ claimed: [8080] })), refusedWith('conflict', /8080.*c1 has it/));
  });

  it('names the holders when a range is exhausted', () => {
    const at = scene({ claimed: [8001, 8004], listened: [8002] });
    const expected =
      /host ports 8000-8004\/tcp: none is free for port 81 .*8000: this container's port 80\/tcp has it; 8001: container c1 has it; 8002: nginx \(pid 812\) listens on it; and 2 more/;
    assert.throws(() => pick(['8000:80', '8003:79', '8000-8004:81'], at), refusedWith('conflict', expected));
    const none = scene({}, { ephemeral: { first: 40_000, last: 40_000 } });
    assert.throws(() => pick([':80', ':81'], none), refusedWith('conflict', /40000-40000/));
  });

  it('never gives one port of one address twice, nor a taken one, nor one outside the range', () => {
    const port = fc.integer({ min: 8000, max: 8012 });
    const requests = fc.array(
      fc.record(
        {
          protocol: fc.constantFrom('tcp' as const, 'udp' as const),
          hostPort: fc.oneof(port, fc.constant(0)),
          hostPortEnd: port,
          containerPort: fc.integer({ min: 1, max: 4 }),
          hostIp: fc.constantFrom('0.0.0.0', '::', '127.0.0.1', '127.0.0.2').map(addrOf),
        },
        { requiredKeys: ['protocol', 'hostPort', 'hostPortEnd', 'containerPort'] },
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(requests, fc.uniqueArray(port, { maxLength: 6 }), fc.nat(), (wanted, claimed, start) => {
        let picked: PortMapping[];
        try {
          picked = pickPorts(wanted, scene({ claimed }, { start }));
        } catch (error) {
          assert.ok(error instanceof NetError && error.kind === 'conflict', String(error));
          return;
        }
        for (const [i, one] of picked.entries()) {
          assert.ok(!claimed.includes(one.hostPort));
          assert.ok(!picked.some((other, j) => i !== j && meet(one, other)), picked.map(text).join(' '));
          const asked = wanted.some(({ protocol, hostPort, hostPortEnd, containerPort }) => {
            const [first, last] = hostPort === 0 ? [40_000, 40_009] : [hostPort, Math.max(hostPort, hostPortEnd)];
            const inside = one.hostPort >= first && one.hostPort <= last;
            return inside && one.protocol === protocol && one.containerPort === containerPort;
          });
          assert.ok(asked, text(one));
        }
      }),
    );
  });
});
