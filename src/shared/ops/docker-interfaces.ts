import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Core } from '../core/core.ts';
import type { Namespace } from '../host/host.ts';
import type { EndpointInfo } from './endpoints.ts';

/** Where dockerd keeps the namespaces of containers. */
const DOCKER_NETNS = '/run/docker/netns';

/** Paths of the namespaces of Docker's containers; empty without a dockerd. Never throws. */
export function dockerNamespaces(): string[] {
  try {
    return readdirSync(DOCKER_NETNS).map((name) => join(DOCKER_NETNS, name));
  } catch {
    return [];
  }
}

/**
 * Adds to Docker's endpoints the name of their interface in the container, which dockerd chooses and does not tell: it
 * is found by its MAC. Those whose container is not found, or is not to be opened by this user, stay as they are.
 */
export function withInterfaces(core: Core, endpoints: readonly EndpointInfo[]): readonly EndpointInfo[] {
  if (!endpoints.some(isUnnamed)) return endpoints;
  const names = interfacesByMac(core, dockerNamespaces());
  return endpoints.map((info) => {
    const [name, ...others] = isUnnamed(info) ? (names.get(info.mac ?? '') ?? []) : [];
    // Two containers may have one MAC, on networks that do not meet.
    return name === undefined || others.length > 0 ? info : { ...info, interface: name };
  });
}

function isUnnamed(info: EndpointInfo): boolean {
  return info.camp === 'docker' && info.interface === undefined && info.mac !== undefined;
}

function interfacesByMac({ host }: Core, paths: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const path of paths) {
    using opened = tryOpen(() => host.open(path));
    if (opened === undefined) continue;
    for (const { name, mac } of host.observe(opened, { links: 'all' }).links.values())
      if (mac !== undefined) names.set(mac, (names.get(mac) ?? new Set()).add(name));
  }
  return names;
}

/** A container may end meanwhile. */
function tryOpen(open: () => Namespace): Namespace | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
