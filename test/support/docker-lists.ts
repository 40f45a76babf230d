import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceDir } from './cni.ts';
import type { CalledNetwork, DockerCaller } from './docker-caller.ts';

type Json = Readonly<Record<string, unknown>>;

export interface ListedCreation {
  readonly conf: Json | string;
  readonly o?: Readonly<Record<string, string>>;
  readonly internal?: boolean;
  /** Docker's own IPAM, with this subnet; absent: none (`--ipam-driver null`). */
  readonly subnet?: string;
  readonly gateway?: string;
  /** dockerd 28 or later. Default: false. */
  readonly isNew?: boolean;
}

/** `docker network create -d isthmus -o driver=cni -o conf=…`, as dockerd calls it. */
export async function createListed(docker: DockerCaller, creation: ListedCreation): Promise<CalledNetwork> {
  const { conf, o = {}, internal = false, subnet, gateway, isNew = false } = creation;
  const id = randomBytes(32).toString('hex');
  const text = typeof conf === 'string' ? conf : JSON.stringify(conf);
  const Options = {
    'com.docker.network.enable_ipv6': false,
    ...(isNew ? { 'com.docker.network.enable_ipv4': true } : {}),
    ...(internal ? { 'com.docker.network.internal': true } : {}),
    'com.docker.network.generic': { driver: 'cni', conf: text, cniPath: referenceDir, ...o },
  };
  if (isNew) await docker.call('NetworkDriver.GwAllocCheck', { Options });
  const data =
    subnet === undefined
      ? { AddressSpace: 'null', Pool: '0.0.0.0/0' }
      : { AddressSpace: 'LocalDefault', Pool: subnet, ...(gateway === undefined ? {} : { Gateway: gateway }) };
  await docker.call('NetworkDriver.CreateNetwork', { NetworkID: id, Options, IPv4Data: [data], IPv6Data: [] });
  return { id, pools: [] };
}

/** host-local with files of the test's own. */
export function hostLocal(dataDir: string, subnets: readonly string[], more: Json = {}): Json {
  const routes = subnets.map((subnet) => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' }));
  return { type: 'host-local', dataDir, ranges: subnets.map((subnet) => [{ subnet }]), routes, ...more };
}

export function listOf(name: string, ...plugins: readonly Json[]): Json {
  return { cniVersion: '1.0.0', name, plugins };
}

/** An executable plugin: a shell script that gets the call. It answers VERSION by itself. */
export function scriptPlugin(dir: string, name: string, body: string): void {
  const versions = '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0","1.1.0"]}';
  const file = join(dir, name);
  writeFileSync(file, `#!/bin/sh\n[ "$CNI_COMMAND" = VERSION ] && { echo '${versions}'; exit 0; }\n${body}\n`);
  chmodSync(file, 0o755);
}
