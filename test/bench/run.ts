import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { pluginDir, referenceDir, runPlugin } from '../support/cni.ts';
import { makeBareStarts } from './bare-start.ts';
import { coolDown, makeSide, peaks, rates, type Site, sequential, warmUp } from './calls.ts';
import { measureChains, ownSide, referenceSide } from './chains.ts';
import { measureDaemon } from './daemon.ts';
import { daemonRows, markdownOf, printDaemon } from './daemon-report.ts';
import { measureDocker } from './docker.ts';
import { dockerMarkdown, dockerRows, printDocker } from './docker-report.ts';
import { driverRows, measureDrivers, printDrivers } from './drivers.ts';
import { measureFirewaller } from './firewaller.ts';
import { measureLeases } from './leases.ts';
import { measureOverlay, overlayRows, printOverlay } from './overlay.ts';
import { AT_ONCE, type CrowdStep, type Machine, machineLine, printReport, type Report, STARTS } from './report.ts';
import { measureScale } from './scale.ts';
import { printScale, scaleMarkdown, scaleRows } from './scale-report.ts';
import { type Sizes, sizesOf } from './sizes.ts';
import { summarize, timed } from './stats.ts';
import { measureVerbs } from './verbs.ts';
import { printVerbs, verbRows, verbsMarkdown } from './verbs-report.ts';

/** Measures everything in one run, prints it, and writes it to the file of `--json FILE`. */
async function main([site = '', ...options]: readonly string[]): Promise<void> {
  const sizes = sizesOf(options);
  const about = machine();
  const only = ['--daemon', '--docker', '--overlay', '--drivers', '--scale', '--verbs'].map((one) =>
    options.includes(one),
  );
  const [onlyDaemon, onlyDocker, onlyOverlay, onlyDrivers, onlyScale, onlyVerbs] = only;
  const all = !only.includes(true);
  console.log(machineLine(about));
  const calls = all ? await measure(JSON.parse(site), sizes) : undefined;
  if (calls !== undefined) printReport(calls);
  const daemon = all || onlyDaemon ? await measureDaemon(sizes.daemon) : undefined;
  if (daemon !== undefined) printDaemon(daemon);
  const docker = all || onlyDocker ? await measureDocker(sizes.docker) : undefined;
  if (docker !== undefined) printDocker(docker);
  const overlay = all || onlyOverlay ? await measureOverlay(sizes.overlay) : undefined;
  if (overlay !== undefined) printOverlay(overlay);
  const drivers = all || onlyDrivers ? await measureDrivers(sizes.drivers) : undefined;
  if (drivers !== undefined) printDrivers(drivers);
  const scale = all || onlyScale ? await measureScale(sizes.scale) : undefined;
  if (scale !== undefined) printScale(scale);
  const verbs = all || onlyVerbs ? await measureVerbs(sizes.verbs) : undefined;
  if (verbs !== undefined) printVerbs(verbs);
  if (options.includes('--markdown')) {
    if (daemon !== undefined) console.log(`\n${markdownOf(daemon)}`);
    if (docker !== undefined) console.log(`\n${dockerMarkdown(docker)}`);
    if (scale !== undefined) console.log(`\n${machineLine(about)}\n\n${scaleMarkdown(scale)}`);
    if (verbs !== undefined) console.log(`\n${machineLine(about)}\n\n${verbsMarkdown(verbs)}`);
  }
  const report = {
    ...{ machine: about, ...calls },
    ...(daemon === undefined ? {} : { daemon, daemonTable: daemonRows(daemon) }),
    ...(docker === undefined ? {} : { docker, dockerTable: dockerRows(docker) }),
    ...(overlay === undefined ? {} : { overlay, overlayTable: overlayRows(overlay) }),
    ...(drivers === undefined ? {} : { drivers, driversTable: driverRows(drivers) }),
    ...(scale === undefined ? {} : { scale, scaleTable: scaleRows(scale) }),
    ...(verbs === undefined ? {} : { verbs, verbsTable: verbRows(verbs) }),
  };
  const file = options[options.indexOf('--json') + 1];
  if (options.includes('--json') && file !== undefined) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

async function measure(site: Site, sizes: Sizes): Promise<Report> {
  using bin = pluginDir();
  using bare = await makeBareStarts();
  const theirs = makeSide('reference', referenceDir, 'bridge', 0, site);
  const ours = makeSide('isthmus', bin.path, 'isthmus', 1, site);
  const sides = [theirs, ours];
  for (const side of sides) warmUp(site, side);
  const starts = {
    node: bare.node,
    packaged: bare.packaged,
    reference: () => timed(() => void runPlugin({ dir: referenceDir, name: 'bridge', command: 'VERSION' })),
  };
  const samples = { node: [] as number[], packaged: [] as number[], reference: [] as number[] };
  const times = sequential(site, sides, () => {
    for (const which of STARTS) samples[which].push(starts[which]());
  });
  const perSecond = { reference: await rates(site, theirs, AT_ONCE), isthmus: await rates(site, ours, AT_ONCE) };
  const start = {
    node: summarize(samples.node),
    packaged: summarize(samples.packaged),
    reference: summarize(samples.reference),
  };
  const peakMemoryMB = { reference: peaks(site, theirs), isthmus: peaks(site, ours) };
  for (const side of sides) coolDown(site, side);
  const chains = measureCrowds(bin.path, sizes);
  const firewall = await measureFirewaller(
    sizes.crowd.filter((endpoints) => endpoints !== 1),
    sizes.foreign,
  );
  const lease = measureLeases(sizes.leases);
  return { sequential: times, perSecond, start, peakMemoryMB, chains, firewall, lease };
}

function measureCrowds(dir: string, { crowd, rounds }: Sizes): CrowdStep[] {
  using theirs = referenceSide();
  using ours = ownSide(dir);
  return crowd.map((endpoints) => ({ endpoints, times: measureChains([theirs, ours], endpoints, rounds) }));
}

function machine(): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
    kernel: release(),
    node: process.version,
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
  };
}

await main(process.argv.slice(2));
