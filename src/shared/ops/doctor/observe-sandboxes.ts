import type { Core } from '../../core/core.ts';
import { asNetError } from '../../errors/net-error.ts';
import type { Namespace } from '../../host/host.ts';
import type { CniEndpoint, Endpoint, LoneEndpoint } from '../../model/endpoint.ts';
import type { SandboxFacts } from './facts.ts';

/** Looks into the namespaces of CNI endpoints. dockerd's namespaces, and what is in them, are its own. */
export async function observeSandboxes(core: Core, all: readonly Endpoint[]): Promise<readonly SandboxFacts[]> {
  const found: SandboxFacts[] = [];
  for (const part of all) {
    if ((part.kind !== 'cni' && part.kind !== 'lone') || part.progress !== 'ready') continue;
    found.push(lookInto(core, part));
    await core.rest?.();
  }
  return found;
}

function lookInto({ host }: Core, part: CniEndpoint | LoneEndpoint): SandboxFacts {
  const { path, id } = part.sandbox;
  if (path === '') return { part, namespace: 'unknown', lacking: [] };
  let opened: Namespace;
  try {
    opened = host.open(path);
  } catch (thrown) {
    const namespace = asNetError(thrown, 'open').kind === 'invalid-namespace' ? 'gone' : 'unknown';
    return { part, namespace, lacking: [] };
  }
  using sandbox = opened;
  if (id !== '' && sandbox.id !== id) return { part, namespace: 'gone', lacking: [] };
  if (part.kind === 'lone' && part.link.link.kind === 'userspace') return { part, namespace: 'there', lacking: [] };
  const { ifName } = part.attachment;
  const { links, addresses } = host.observe(sandbox, { links: [ifName], addresses: [ifName] });
  const link = links.get(ifName);
  if (link === undefined) return { part, namespace: 'there', interface: 'missing', lacking: [] };
  const there = new Set(addresses.map(({ address }) => address));
  const lacking = part.inside.addresses.flatMap(({ address }) => (there.has(address) ? [] : [address]));
  const isDown = part.inside.up && !link.up;
  return { part, namespace: 'there', lacking, ...(isDown && { interface: 'down' as const }) };
}
