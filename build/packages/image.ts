import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRootfs } from '../docker-plugin-files.ts';
import type { Release } from './release.ts';
import { runTool } from './tool.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = '/usr/lib/isthmus/cnm-shim';
const NAME = 'isthmus';
/** The name of an architecture in images. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** SPDX expression: ours, those of Node's parts, and those of the libraries and tools from Debian's packages. */
const LICENCES = [
  ...['Apache-2.0', 'MIT', 'GPL-2.0-only', 'GPL-2.0-or-later', 'LGPL-2.1-or-later', 'LGPL-3.0-or-later'],
  'GPL-3.0-or-later WITH GCC-exception-3.1',
].join(' AND ');

/** An image in a file. */
export interface Image {
  /** An archive of an OCI layout. */
  readonly file: string;
  /** Of its manifest: what a registry calls it. */
  readonly digest: string;
}

/**
 * Builds the image of dist/ into `output`. It installs on a node whose root is mounted at /host, or with the argument
 * `serve` runs the daemon. One release gives one digest. Throws with the tools' output.
 */
export function buildImage({ version, epoch }: Release, output: string): Image {
  const directory = mkdtempSync(join(tmpdir(), 'isthmus-image-'));
  const run = (...command: readonly [string, ...string[]]): string => runTool(command, { cwd: directory });
  try {
    const rootfs = join(directory, 'rootfs');
    makeRootfs(rootfs, join(ROOT, 'dist/cnm-shim'));
    symlinkSync(PROGRAM, join(rootfs, 'usr/bin/isthmus'));
    for (const name of ['host', 'tmp']) mkdirSync(join(rootfs, name), { recursive: true });
    // Modes must not be those of this user's mask.
    run('chmod', '-R', 'u=rwX,go=rX', rootfs);
    const fixed = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
    run('tar', ...fixed, '-C', rootfs, '-cf', 'layer.tar', '.');
    const tag = 'image:latest';
    const time = new Date(epoch * 1000).toISOString();
    const history = ['--history.created', time, '--history.created_by', 'npm run packages', '--history.author', NAME];
    run('umoci', 'init', '--layout', 'image');
    run('umoci', 'new', '--image', tag);
    run('umoci', 'raw', 'add-layer', '--image', tag, ...history, 'layer.tar');
    const settings = ['--config.entrypoint', '/usr/bin/isthmus', '--config.env', 'PATH=/usr/sbin:/usr/bin'];
    const command = ['install', '--root', '/host', '--no-daemon'].flatMap((word) => ['--config.cmd', word]);
    const labels = [`org.opencontainers.image.version=${version}`, `org.opencontainers.image.licenses=${LICENCES}`];
    const platform = [
      '--os',
      'linux',
      '--architecture',
      ARCHITECTURES[process.arch] ?? process.arch,
      '--created',
      time,
    ];
    const texts = labels.flatMap((label) => ['--config.label', label]);
    run('umoci', 'config', '--image', tag, ...platform, ...settings, ...command, ...texts, ...history);
    run('umoci', 'gc', '--layout', 'image');
    const file = join(output, `isthmus_${version}_${ARCHITECTURES[process.arch] ?? process.arch}.oci.tar`);
    for (const old of readdirSync(output)) if (old.endsWith('.oci.tar')) rmSync(join(output, old));
    // umoci compresses by gzip only, which is a fifth larger. The archive has a name: `ctr image import` shows it.
    run('skopeo', 'copy', '--quiet', '--dest-decompress', 'oci:image:latest', 'dir:plain');
    const compressed = ['--dest-compress-format', 'zstd', '--dest-compress-level', '12'];
    run('skopeo', 'copy', '--quiet', ...compressed, 'dir:plain', `oci-archive:made.tar:${NAME}:${tagOf(version)}`);
    renameSync(join(directory, 'made.tar'), file);
    return { file, digest: digestOf(file) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Returns the digest of the image in an archive. */
export function digestOf(file: string): string {
  return runTool(['skopeo', 'inspect', '--format', '{{.Digest}}', `oci-archive:${file}`], { cwd: '/' }).trim();
}

/** A tag has no `~`. */
function tagOf(version: string): string {
  return version.replaceAll(/[^\w.-]/g, '-');
}
