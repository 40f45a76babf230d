import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TestHost } from './test-host.ts';

/** Applets of busybox that the images have as commands. */
const APPLETS = [
  'sh',
  'sleep',
  'ping',
  'ping6',
  'ip',
  'nc',
  'nslookup',
  'cat',
  'echo',
  'ls',
  'hostname',
  'true',
  'seq',
  'httpd',
  'wget',
];

/** The name of the image in a runtime. */
export const IMAGE = 'localhost/isth-busybox:1';

/** A root file system with a statically linked busybox is at `dir` in the host. */
export function makeRootfs(host: TestHost, dir: string): void {
  for (const name of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp', 'root', 'run', 'var'])
    host.run('mkdir', '-p', `${dir}/${name}`);
  host.run('cp', '/bin/busybox', `${dir}/bin/busybox`);
  for (const applet of APPLETS) host.run('ln', '-sf', 'busybox', `${dir}/bin/${applet}`);
  host.write(`${dir}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\n');
  host.write(`${dir}/etc/group`, 'root:x:0:\n');
}

/**
 * A tar file in the form of `docker save` is in the host; its path is returned. One layer, which sleeps by default, so
 * that the image serves as a pod's pause container too. Nothing is fetched.
 */
export function makeImage(host: TestHost): string {
  const dir = '/run/isth/image';
  makeRootfs(host, '/run/isth/rootfs');
  host.run('mkdir', '-p', dir);
  host.run('tar', '-C', '/run/isth/rootfs', '-cf', `${dir}/layer.tar`, '.');
  const layer = createHash('sha256')
    .update(readFileSync(host.outside(`${dir}/layer.tar`)))
    .digest('hex');
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'busybox' }],
  };
  host.write(`${dir}/config.json`, JSON.stringify(config));
  host.write(
    `${dir}/manifest.json`,
    JSON.stringify([{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }]),
  );
  host.run('tar', '-C', dir, '-cf', '/run/isth/image.tar', 'config.json', 'manifest.json', 'layer.tar');
  return '/run/isth/image.tar';
}

/** Busybox command: whoever connects to `port` is told `text`, once. */
export function say(text: string, port: number): string[] {
  return ['nc', '-l', '-p', String(port), '-e', 'echo', text];
}

/** Busybox command: prints what `say` says there, which may come up a little later. */
export function hear(address: string, port: number): string[] {
  return ['sh', '-c', `for i in $(seq 30); do nc -w 2 ${address} ${port} && exit; sleep 0.1; done; exit 1`];
}
