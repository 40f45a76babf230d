import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Release } from './release.ts';
import { runTool } from './tool.ts';

const ROOT = join(import.meta.dirname, '../..');
const DIST = join(ROOT, 'dist');
const PACKAGING = join(ROOT, 'build/packaging');
/** Pages and completions of shells come into the package where they are. */
const OPTIONAL = [
  { from: 'man', to: (name: string) => `usr/share/man/man${name.at(-1)}` },
  { from: 'completions/bash', to: () => 'usr/share/bash-completion/completions' },
  { from: 'completions/zsh', to: () => 'usr/share/zsh/vendor-completions' },
  { from: 'completions/fish', to: () => 'usr/share/fish/vendor_completions.d' },
] as const;

/** Builds the Debian package of dist/ into `output`; returns its path. Throws with the tools' output. */
export function buildDeb(release: Release, output: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'isthmus-deb-'));
  try {
    const tree = join(directory, 'isthmus');
    makeTree(tree, release);
    const env = { SOURCE_DATE_EPOCH: String(release.epoch), DEB_BUILD_OPTIONS: 'nocheck' };
    runTool(['dpkg-buildpackage', '--build=binary', '--unsigned-changes', '--no-pre-clean'], { cwd: tree, env });
    const name = readdirSync(directory).find((file) => file.endsWith('.deb'));
    if (name === undefined) throw new Error('dpkg-buildpackage made no package');
    for (const old of readdirSync(output)) if (old.endsWith('.deb')) rmSync(join(output, old));
    copyFileSync(join(directory, name), join(output, `.${name}`));
    renameSync(join(output, `.${name}`), join(output, name));
    return join(output, name);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The source tree that debhelper takes: debian/, and below files/ what is installed. */
function makeTree(tree: string, release: Release): void {
  const debian = join(tree, 'debian');
  cpSync(join(PACKAGING, 'deb'), debian, { recursive: true });
  const put = (from: string, to: string): void => {
    mkdirSync(join(tree, 'files', to, '..'), { recursive: true });
    cpSync(from, join(tree, 'files', to), { verbatimSymlinks: true });
  };
  put(join(DIST, 'cni-plugin'), 'usr/lib/isthmus/cni-plugin');
  put(join(DIST, 'launcher'), 'opt/cni/bin/isthmus');
  for (const name of readdirSync(join(PACKAGING, 'systemd')))
    put(join(PACKAGING, 'systemd', name), `lib/systemd/system/${name}`);
  put(join(PACKAGING, 'networkd/10-isthmus.network'), 'usr/lib/systemd/network/10-isthmus.network');
  put(join(PACKAGING, 'NetworkManager/10-isthmus.conf'), 'usr/lib/NetworkManager/conf.d/10-isthmus.conf');
  writeFileSync(join(tree, 'files/usr/lib/isthmus/packaged'), 'The package isthmus holds these files.\n');
  const found = OPTIONAL.flatMap(({ from, to }) => {
    const source = join(PACKAGING, from);
    return existsSync(source)
      ? readdirSync(source).map((name) => [join(source, name), `${to(name)}/${name}`] as const)
      : [];
  });
  for (const [from, to] of found) put(from, to);
  writeFileSync(join(debian, 'changelog'), changelog(release));
  writeFileSync(join(debian, 'copyright'), COPYRIGHT);
  put(join(DIST, 'LICENSES.txt'), 'usr/share/doc/isthmus/third-party.txt');
  appendFileSync(join(debian, 'isthmus.lintian-overrides'), overrides(found.map(([from]) => basename(from))));
}

function changelog({ version, epoch }: Release): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `isthmus (${version}) unstable; urgency=medium

  * Built from the sources of this version.

 -- Isthmus maintainers <isthmus@localhost>  ${date}
`;
}

/** The licences of everything inside the executables are a file beside this one. */
const COPYRIGHT = `Copyright 2026 the authors of Isthmus

License: Apache-2.0. See /usr/share/common-licenses/Apache-2.0.

The executable contains Node.js and other works. Their copyright notices and
licences are in /usr/share/doc/isthmus/third-party.txt.gz, and printed by:
isthmus version --licenses
`;

/** Reasons of lintian's that hold for this build only. */
function overrides(pages: readonly string[]): string {
  if (pages.some((name) => name.startsWith('isthmus.'))) return '';
  return '# "isthmus --help" has the same text.\nisthmus: no-manual-page [usr/bin/isthmus]\n';
}
