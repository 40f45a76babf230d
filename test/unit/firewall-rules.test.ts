import { strict as assert } from 'node:assert';
import type { FirewallOptions, PortOptions } from '../../src/shared/config/firewall.ts';
import type { PortMapping } from '../../src/shared/config/port-mappings.ts';
import { relaysOf } from '../../src/shared/drivers/relays.ts';
import { networkEntries, planPorts, portEntries, type Rules } from '../../src/shared/drivers/rules.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { type Prefix, parsePrefix } from '../../src/shared/model/prefix.ts';
import { addrOf } from '../support/addresses.ts';

const DEVICE = 'br-a';
const ADDRESSING = { addresses: ['10.81.0.2/24', 'fd81::2/64'].map((text) => ({ address: prefix(text) })), routes: [] };
const HTTP = { protocol: 'tcp', hostPort: 8080, containerPort: 80 } as const;
const DNS = { protocol: 'udp', hostPort: 53, containerPort: 53 } as const;

function prefix(text: string): Prefix {
  const found = parsePrefix(text);
  assert.ok(found, text);
  return found;
}

function rules(
  options: Partial<FirewallOptions> = {},
  mappings: Rules['mappings'] = [],
  ports: Partial<PortOptions> = {},
): Rules {
  const usual: PortOptions = { snat: true, masqAll: false, conditions: { 4: [], 6: [] }, ...ports };
  const all: FirewallOptions = { backend: 'auto', policy: 'closed', ports: usual, ...options };
  return { backend: 'nftables', options: all, mappings, admit: false };
}

/** `masquerade 10.81.0.0/24`: the kind and what distinguishes its entries. */
function words(entries: readonly FirewallEntry[]): string[] {
  return entries.map((entry) => [entry.kind, ...detailsOf(entry)].join(' '));
}

function detailsOf(entry: FirewallEntry): readonly (string | number)[] {
  switch (entry.kind) {
    case 'masquerade':
      return [entry.subnet, ...(entry.to === undefined ? [] : [entry.to])];
    case 'hairpin':
      return [entry.subnet];
    case 'policy':
      return [entry.policy];
    case 'exposure':
      return [entry.family, entry.what];
    case 'port':
      return [entry.protocol, entry.hostPort, entry.address, entry.port];
    case 'direct':
      return [entry.device, entry.protocol, entry.address, entry.port];
    case 'admit':
    case 'separate':
    case 'guard':
    case 'mac':
    case 'gateways':
    case 'isolated':
    case 'source':
    case 'underlay':
    case 'peer':
    case 'sealed':
      return [];
  }
}

describe('firewall entries of a network', () => {
  const masquerade = { except: [], to: { 6: addrOf('2001:db8::7') } };
  const of = (...given: Parameters<typeof rules>): string[] =>
    words(networkEntries(rules(...given), DEVICE, ADDRESSING));

  it('masquerade both families by default, or only the named ones', () => {
    const both = ['policy closed', 'masquerade 10.81.0.0/24', 'masquerade fd81::/64 2001:db8::7'];
    assert.deepEqual(of({ masquerade }), both);
    assert.deepEqual(of({ masquerade: { ...masquerade, families: [4, 6] } }), both);
    assert.deepEqual(of({ masquerade: { ...masquerade, families: [4] } }), both.slice(0, 2));
    assert.deepEqual(of({ masquerade: { ...masquerade, families: [] } }), ['policy closed']);
    assert.deepEqual(of(), ['policy closed']);
  });

  it('have a hairpin for translated ports and accept pings for routed families', () => {
    const translated = ['hairpin 10.81.0.0/24', 'hairpin fd81::/64'];
    assert.deepEqual(of({}, [HTTP]), ['policy closed', ...translated]);
    assert.deepEqual(of({}, [HTTP], { routed: [6] }), ['policy closed', 'exposure 6 icmp', translated[0]]);
    assert.deepEqual(of({}, [HTTP], { routed: [4, 6] }), ['policy closed', 'exposure 4 icmp', 'exposure 6 icmp']);
    assert.deepEqual(of({}, [], { routed: [6] }), ['policy closed', 'exposure 6 icmp']);
  });

  it('are open in unprotected families of closed networks', () => {
    assert.deepEqual(of({ unprotected: [6] }), ['policy closed', 'exposure 6 all']);
    assert.deepEqual(of({ unprotected: [6], policy: 'open' }), []);
    assert.deepEqual(of({ policy: 'internal' }, [], { routed: [4, 6] }), ['policy internal']);
  });

  it('name no family that the network lacks', () => {
    const [first] = ADDRESSING.addresses;
    assert.ok(first);
    const entries = networkEntries(rules({ unprotected: [4, 6] }), DEVICE, { addresses: [first], routes: [] });
    assert.deepEqual(words(entries), ['policy closed', 'exposure 4 all']);
  });
});

describe('firewall entries of published ports', () => {
  const of = (...given: Parameters<typeof rules>): string[] => words(portEntries(rules(...given), ADDRESSING, DEVICE));

  it('lead from the host in both families', () => {
    assert.deepEqual(of({}, [HTTP]), ['port tcp 8080 10.81.0.2 80', 'port tcp 8080 fd81::2 80']);
  });

  it("are open at the container's own address in routed families", () => {
    assert.deepEqual(of({}, [HTTP, DNS], { routed: [6] }), [
      'port tcp 8080 10.81.0.2 80',
      'direct br-a tcp fd81::2 80',
      'port udp 53 10.81.0.2 53',
      'direct br-a udp fd81::2 53',
    ]);
  });

  it('are open once, however many host ports were requested', () => {
    const again = { ...HTTP, hostPort: 8081, hostIp: '192.0.2.1', family: 4 } as const;
    assert.deepEqual(of({}, [HTTP, again], { routed: [4, 6] }), [
      'direct br-a tcp 10.81.0.2 80',
      'direct br-a tcp fd81::2 80',
    ]);
  });

  it('are relayed from IPv6 with proxy6to4 where the container has IPv4 only, but for SCTP', () => {
    const four = { ...ADDRESSING, addresses: ADDRESSING.addresses.slice(0, 1) };
    const on = (mappings: readonly PortMapping[]) => rules({}, mappings, { proxy6to4: true });
    const only = (hostIp: string): PortMapping => ({ ...HTTP, hostIp, family: hostIp.includes(':') ? 6 : 4 });
    const relayed = (mappings: readonly PortMapping[], at = four): string[] =>
      relaysOf(on(mappings), at).map(({ protocol, hostIp = '*', hostPort, address, port }) =>
        [protocol, hostIp, hostPort, address, port].join(' '),
      );
    assert.deepEqual(relayed([HTTP, DNS]), ['tcp * 8080 10.81.0.2 80', 'udp * 53 10.81.0.2 53']);
    assert.deepEqual(relayed([only('2001:db8::1')]), ['tcp 2001:db8::1 8080 10.81.0.2 80']);
    assert.deepEqual(relayed([only('192.0.2.1'), { ...HTTP, protocol: 'sctp' }, { ...HTTP, hostPort: 0 }]), []);
    assert.deepEqual(relayed([HTTP], ADDRESSING), [], 'the packet filter carries it');
    assert.deepEqual(relayed([only('::1')], ADDRESSING), ['tcp ::1 8080 10.81.0.2 80']);
    assert.deepEqual(relaysOf(rules({}, [HTTP]), four), []);
    assert.throws(() => relaysOf(on([{ ...HTTP, count: 1025 }]), four), { kind: 'invalid-config' });
    assert.deepEqual(portEntries(on([only('::1')]), ADDRESSING), []);
  });

  it('on an address of IPv6 are refused where nothing carries them', () => {
    const four = { ...ADDRESSING, addresses: ADDRESSING.addresses.slice(0, 1) };
    const refused = (hostIp: string, at: typeof ADDRESSING, message: RegExp): void =>
      assert.throws(() => portEntries(rules({}, [{ ...HTTP, hostIp, family: 6 }]), at), {
        kind: 'invalid-config',
        message,
      });
    refused('2001:db8::1', four, /hostIP="2001:db8::1": the pod has no IPv6 address to lead to.*"proxy6to4": true/);
    refused('::1', four, /hostIP="::1": the kernel does not lead connections to ::1 .*"proxy6to4": true/);
    refused('::1', ADDRESSING, /hostIP="::1": the kernel does not lead connections to ::1/);
  });

  it('require the device in routed families', () => {
    assert.throws(() => portEntries(rules({}, [HTTP], { routed: [6] }), ADDRESSING), { kind: 'internal' });
    assert.equal(portEntries(rules({}, [HTTP]), ADDRESSING).length, 2);
  });

  it('are planned together, and flush conntrack for host ports only', () => {
    const entries = portEntries(rules({}, [HTTP, DNS], { routed: [6] }), ADDRESSING, DEVICE);
    const { ops, undo } = planPorts('nftables', entries);
    assert.deepEqual(
      ops.map(({ op }) => op),
      ['firewall.add', 'conntrack.flush'],
    );
    assert.deepEqual(
      undo.map(({ op }) => op),
      ['firewall.delete', 'conntrack.flush'],
    );
    assert.deepEqual(ops[0], { op: 'firewall.add', ns: 'host', backend: 'nftables', entries });
    assert.deepEqual(ops[1], { op: 'conntrack.flush', ns: 'host', protocol: 'udp', family: 4, port: 53 });
  });
});
