// Runs on Debian 12's own Node (18.13), before anything is installed: no TypeScript, no packages, nothing that came later.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MOVED, PACKAGES } from './packages.mjs';

const OLDEST = 18;
if (Number.parseInt(process.versions.node, 10) < OLDEST)
  fail(`needs Node ${OLDEST} or later to begin with, this is ${process.version}`);

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE = join(ROOT, 'node_modules/.bin/node');
const POLICY = '/usr/sbin/policy-rc.d';
/** Marks our policy file, so that the next run removes one that an interrupted run left. */
const POLICY_TEXT = '#!/bin/sh\n# isthmus: services are not started while their packages are installed\nexit 101\n';

/** The build's outputs below dist/. */
const PROGRAMS = ['cni-plugin', 'cnm-shim', 'launcher'];

/** Services by package. Tests run them in private hosts; at its next boot the machine would start them too. */
const UNWANTED = {
  ...{ ufw: 'ufw', firewalld: 'firewalld', fail2ban: 'fail2ban', shorewall: 'shorewall', shorewall6: 'shorewall6' },
  'etcd-server': 'etcd',
  prometheus: 'prometheus',
};

/** Targets that need no dist/: linting, and the build itself. */
const UNBUILT = ['compilers', 'modules'];
/** Directories whose packages from npm a target needs besides the project's own. */
const MODULES = { test: ['test/oldest-node'] };

/** Prints the problem and the remedy, and ends the set-up. */
function fail(what) {
  console.error(`set-up: ${what}`);
  process.exit(1);
}

/** Returns those of `packages` that dpkg has not installed. */
function missingPackages(packages) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own syntax
  const format = '${Package} ${db:Status-Status}\n';
  const query = spawnSync('dpkg-query', ['-W', '-f', format, ...packages], { encoding: 'utf8' });
  if (query.error) fail(`this is not Debian (no dpkg-query). Install what these packages hold: ${packages.join(' ')}`);
  const installed = new Set(query.stdout.split('\n').flatMap((line) => line.match(/^(\S+) installed$/)?.[1] ?? []));
  return packages.filter((name) => !installed.has(name));
}

/** Installs the packages, without starting their services. */
function installPackages(packages) {
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0)
    fail(`not root, and missing: ${missing.join(' ')}. Run: apt-get install ${missing.join(' ')}`);
  console.log(`set-up: apt-get install ${missing.join(' ')}`);
  const ours = !existsSync(POLICY) || readFileSync(POLICY, 'utf8') === POLICY_TEXT;
  if (ours) writeFileSync(POLICY, POLICY_TEXT, { mode: 0o755 });
  try {
    run('apt-get', ['-qq', 'update']);
    run('apt-get', ['-qq', '-y', '-o', 'Dpkg::Use-Pty=0', '--no-install-recommends', 'install', ...missing], {
      DEBIAN_FRONTEND: 'noninteractive',
    });
    const unwanted = missing.flatMap((name) => UNWANTED[name] ?? []);
    if (unwanted.length > 0) run('systemctl', ['disable', '--quiet', ...unwanted]);
  } finally {
    if (ours) rmSync(POLICY);
  }
}

/** Installs the npm packages of a directory of the project unless they match its lockfile. */
function installModules(name) {
  const directory = join(ROOT, name);
  if (modulesMatch(directory)) return;
  console.log(`set-up: npm ci${name === '' ? '' : ` in ${name}`} (from npm's registry, or its cache)`);
  // npm must not run on the Node that it replaces.
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.endsWith('node_modules/.bin'));
  // Without a network, npm would try for five minutes.
  const quick = ['--prefer-offline', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const command = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error', ...quick];
  run('npm', command, { PATH: path.join(delimiter) }, directory);
  if (!modulesMatch(directory)) fail(`npm ci left ${directory}/node_modules incomplete. Remove it and try again`);
}

function modulesMatch(directory) {
  const have = readJson(join(directory, 'node_modules/.package-lock.json'))?.packages;
  const want = readJson(join(directory, 'package-lock.json'))?.packages;
  if (want === undefined) fail(`${directory}/package-lock.json is missing or broken`);
  if (have === undefined || !existsSync(join(directory, 'node_modules/.bin/node'))) return false;
  return Object.entries(want).every(
    ([path, entry]) => path === '' || entry.optional || have[path]?.version === entry.version,
  );
}

/** Runs `npm run build` if a source of dist/ is newer than dist/. */
function build() {
  const times = PROGRAMS.map((name) => statSync(join(ROOT, 'dist', name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const built = Math.min(...times);
  const inputs = ['src', 'cmd', 'build', 'package-lock.json'].map((name) => join(ROOT, name));
  if (inputs.every((path) => newest(path) < built)) return;
  console.log('set-up: npm run build');
  run(NODE, [join(ROOT, 'build/build.ts')]);
}

/** Latest modification time of a file, or of a directory and its contents (removals change the directory). */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((time, name) => Math.max(time, newest(join(path, name))), stat.mtimeMs);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Runs a command and shows its output; ends the set-up if it fails. */
function run(command, args, env = {}, cwd = ROOT) {
  try {
    execFileSync(command, args, {
      cwd,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
  } catch (error) {
    const why = error.code === 'ENOENT' ? 'not found' : `exit ${error.status ?? error.signal}`;
    process.exitCode = 1;
    throw new Error(`set-up: ${command} ${args.join(' ')}: ${why}`);
  }
}

const target = process.argv[2] ?? 'build';
if (process.platform !== 'linux') fail(`needs Linux, this is ${process.platform}`);
if (!Object.hasOwn(PACKAGES, target)) fail(`no target ${target}. Targets: ${Object.keys(PACKAGES).join(', ')}`);
try {
  const packages = PACKAGES[target];
  if (packages.length > 0) installPackages(packages);
  const moved = packages.flatMap((name) => MOVED[name] ?? []).filter(({ program }) => !existsSync(program));
  if (moved.length > 0) installPackages(moved.map((one) => one.package));
  // Its sources come from the network, as the packages do.
  if (target === 'test') run('sh', [join(ROOT, 'test/support/sdk-plugin/build.sh')]);
  for (const name of ['', ...(MODULES[target] ?? [])]) installModules(name);
  if (!UNBUILT.includes(target)) build();
} catch (error) {
  fail(error.message.replace(/^set-up: /, ''));
}
