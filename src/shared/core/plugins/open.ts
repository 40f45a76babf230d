import { hasCode, type NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { NetworkPlugins } from '../../remote/network.ts';
import type { PluginNames } from '../../store/remote-notes.ts';
import type { Core } from '../core.ts';

/** Milliseconds for the deletions of one call, all together. */
const DELETION_MS = 20_000;

/** The plugins of a network, which need not run. */
export async function openPlugins(core: Core, { driver, ipam }: PluginNames): Promise<NetworkPlugins> {
  const { NO_DRIVER } = await import('../../remote/no-driver.ts');
  return {
    driver: driver === undefined ? NO_DRIVER : await core.plugin(driver),
    ...(ipam === undefined ? {} : { ipam: await core.plugin(ipam) }),
  };
}

/** Options of calls that delete. The first of them waits for a plugin that is being restarted, the others do not. */
export function deletionOptions(): { readonly signal: AbortSignal; readonly retry: false } {
  return { signal: AbortSignal.timeout(DELETION_MS), retry: false };
}

/**
 * Returns once each of the plugins answers; throws what RemotePlugin.call throws otherwise. Asks for what every plugin
 * knows: an open connection says nothing of the one that is to answer next.
 */
export async function assertRunning(core: Core, { driver, ipam }: PluginNames, isPatient: boolean): Promise<void> {
  const options = { retry: isPatient };
  if (driver !== undefined) await (await core.plugin(driver)).call('NetworkDriver.GetCapabilities', undefined, options);
  if (ipam !== undefined)
    await (await core.plugin(ipam)).call('IpamDriver.GetDefaultAddressSpaces', undefined, options);
}

/** Kinds of failures that a plugin is the reason of. */
const OF_PLUGINS: readonly string[] = ['unavailable', 'busy', 'delegate', 'unsupported', 'bad-environment'];

/**
 * Returns the failures of a DEL without those of plugins that are no longer installed: no DEL could ever succeed. What
 * such a plugin has stays on record until it is back. `isForced`: leaves out the failures of every plugin.
 */
export function seriousOf(
  { log }: Core,
  { containerId: container, network }: Attachment,
  failures: readonly NetError[],
  isForced = false,
): NetError[] {
  return failures.filter(({ kind, cause, message: error }) => {
    const isMissing = kind === 'unavailable' && hasCode(cause, ['ENOPLUGIN']);
    const isSerious = !isMissing && !(isForced && OF_PLUGINS.includes(kind));
    // A plugin call of its own logs errors alone.
    if (!isSerious) log[isForced ? 'warn' : 'error']('plugin.missing', { container, network, error });
    return isSerious;
  });
}

/** Plugins that gave no answer in this pass. Each call of one that hangs takes ten seconds. */
export class SilentPlugins {
  readonly #found = new Set<string>();

  has(names: PluginNames): boolean {
    return this.#found.has(JSON.stringify(names));
  }

  add(names: PluginNames, failures: readonly NetError[]): void {
    if (failures.some(({ kind }) => kind === 'unavailable' || kind === 'busy')) this.#found.add(JSON.stringify(names));
  }
}
