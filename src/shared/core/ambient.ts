import type { InterfaceReport } from '../drivers/driver.ts';
import { assertHostNamespace, HOST_QUERY, placedAddresses, reportHost } from '../drivers/host/host.ts';
import { NULL_QUERY, planNull } from '../drivers/null/null.ts';
import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { isNoNamespace } from '../host/failure.ts';
import type { Host, Namespace } from '../host/host.ts';
import type { Prefix } from '../model/prefix.ts';
import type { Core } from './core.ts';

/** Drivers that make no interface: what they do needs no record, because the sandbox itself says it. */
export type AmbientDriver = 'host' | 'null';

export interface AmbientReport {
  readonly interfaces: readonly InterfaceReport[];
  /** Device and address. */
  readonly addresses: readonly (readonly [string, Prefix])[];
}

/** The sandbox; `ownNamespace` lets it be the host's own (CNI_NETNS_OVERRIDE). */
export interface Place {
  readonly netns: string;
  readonly ownNamespace: boolean;
}

/**
 * Sets loopback up (null), or checks that the sandbox is the host's namespace (host). Returns the interfaces and
 * addresses of the sandbox.
 */
export function reportAmbient({ host }: Core, driver: AmbientDriver, place: Place): AmbientReport {
  using sandbox = host.open(place.netns);
  if (driver === 'host') {
    assertHostNamespace(sandbox, host.own);
    return reportHost(host.observe(sandbox, HOST_QUERY));
  }
  assertOther(host, sandbox, place);
  host.apply(planNull(host.observe(sandbox, NULL_QUERY)).ops, { host: host.own, sandbox });
  const { links, addresses } = host.observe(sandbox, NULL_QUERY);
  const interfaces = [...links.values()].map(({ name, mac, mtu }) => ({ name, mac, mtu, inSandbox: true }));
  return { interfaces, addresses: placedAddresses(addresses) };
}

/** Sets loopback down (null) if the sandbox still exists. Does nothing for the host driver. Returns all failures. */
export function leaveAmbient({ host }: Core, driver: AmbientDriver, netns: string): NetError[] {
  if (driver === 'host' || netns === '') return [];
  let sandbox: ReturnType<typeof host.open>;
  try {
    sandbox = host.open(netns);
  } catch (thrown) {
    return isNoNamespace(thrown) ? [] : [asNetError(thrown, 'DEL')];
  }
  using opened = sandbox;
  if (opened.id === host.own.id) return [];
  const { undo } = planNull(host.observe(opened, NULL_QUERY));
  return host.revert(undo, { host: host.own, sandbox: opened });
}

/** Throws NetError `drift` if the sandbox differs from what `reportAmbient` set up. */
export function checkAmbient({ host }: Core, driver: AmbientDriver, netns: string): void {
  using sandbox = host.open(netns);
  if (driver === 'host') {
    assertHostNamespace(sandbox, host.own);
    return;
  }
  if (planNull(host.observe(sandbox, NULL_QUERY)).ops.length === 0) return;
  throw fault.drift(
    'CHECK',
    'link lo',
    'is down',
    `Set it up: ip -n ${netns.slice(netns.lastIndexOf('/') + 1)} link set lo up`,
  );
}

/** Throws NetError `invalid-namespace` if the sandbox is the host's own namespace and `ownNamespace` is false. */
export function assertOther(host: Host, sandbox: Namespace, { netns, ownNamespace }: Place): void {
  if (sandbox.id !== host.own.id || ownNamespace) return;
  throw fault.invalidNamespace(
    'ADD',
    `CNI_NETNS=${netns}`,
    "is the network namespace of the host itself, not a container's",
    'Give the namespace of the container, or use driver "host"; CNI_NETNS_OVERRIDE=1 overrides',
  );
}
