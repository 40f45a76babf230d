import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';

/** What must accompany copies of files of Debian packages. */
export interface DebianLicences {
  /** The packages' copyright files, and the common licences that these refer to. */
  readonly files: readonly string[];
  /** The packages with version and source package, one a line, as text. */
  readonly sources: string;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own syntax
const FORMAT = '${binary:Package} ${Version}, source ${source:Package} ${source:Version}\n';
const PREAMBLE = `The libraries and tools in this file system are unchanged files of these Debian packages.
Their licences are in /usr/share/doc/PACKAGE/copyright. Their source is in Debian's archive and on snapshot.debian.org,
under the name and version of the source package: "apt-get source NAME=VERSION".

`;

/** Returns the licences of the packages that own the files. Throws if no package owns one, or has no copyright file. */
export function debianLicences(files: readonly string[]): DebianLicences {
  const owners = new Map<string, string>();
  // Merged directories: a package may name the file by either path.
  const paths = new Map(files.map((file) => [file, pathsOf(file)]));
  const { stdout } = spawnSync('dpkg-query', ['--search', ...[...paths.values()].flat()], { encoding: 'utf8' });
  for (const line of (stdout ?? '').split('\n')) {
    const [, owner, path] = /^(\S+): (\/.*)$/.exec(line) ?? [];
    if (owner !== undefined && path !== undefined) owners.set(path, owner);
  }
  const packages = new Set<string>();
  for (const [file, names] of paths) {
    const owner = names.map((name) => owners.get(name)).find((found) => found !== undefined);
    if (owner === undefined) throw new Error(`${file} belongs to no Debian package, so its licence is not known`);
    packages.add(owner);
  }
  const names = [...packages].sort();
  const copyrights = names.map((name) => `/usr/share/doc/${name.replace(/:.*/, '')}/copyright`);
  for (const path of copyrights)
    if (!existsSync(path)) throw new Error(`${path} is missing. Run: apt-get install --reinstall the package`);
  const listed = spawnSync('dpkg-query', ['--show', `--showformat=${FORMAT}`, ...names], { encoding: 'utf8' });
  return { files: [...copyrights, ...commonLicences(copyrights)], sources: `${PREAMBLE}${listed.stdout}` };
}

function pathsOf(file: string): string[] {
  const real = realpathSync(file);
  return [...new Set([file, real].flatMap((path) => [path, `/usr${path}`, path.replace(/^\/usr\//, '/')]))];
}

/** Debian's copyright files quote only licences that are not in /usr/share/common-licenses. */
function commonLicences(copyrights: readonly string[]): string[] {
  const text = copyrights.map((path) => readFileSync(path, 'utf8')).join('\n');
  const named = new Set([...text.matchAll(/\/usr\/share\/common-licenses\/[\w.-]*[\w-]/g)].map(([path]) => path));
  return [...named].filter(existsSync).sort();
}
