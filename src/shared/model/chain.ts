import type { Attachment } from './attachment.ts';
import type { RouteSpec } from './link.ts';
import type { SbrFacts, VrfFacts } from './routing-facts.ts';

/** A CNI list as a Docker network: what each of its endpoints runs. */
export interface ListFacts {
  /** The list as JSON, as it was when the network was created. */
  readonly text: string;
  /** Directories with its plugins. */
  readonly path: readonly string[];
  /** Pairs for CNI_ARGS. */
  readonly args?: string;
  /** Seconds that the plugins of one ADD or DEL may take together. */
  readonly seconds: number;
  /** dockerd makes the container's namespace before it joins (28 and later): what only that can have goes into it. */
  readonly completes?: true;
}

/** What dockerd cannot put into a container's namespace. */
export interface SandboxFacts {
  /** Paths below /proc/sys and values; the interface is called as in the plugins' namespace. */
  readonly sysctls: readonly (readonly [key: string, value: string])[];
  /** Addresses after the first of a family. */
  readonly addresses: readonly string[];
  /** Routes with attributes that Docker's protocol lacks. */
  readonly routes: readonly RouteSpec[];
  readonly sbr?: SbrFacts;
  readonly vrf?: VrfFacts;
}

/** What dockerd configures in the container. */
export interface CarriedFacts {
  /** At most one of each family, with prefix length. */
  readonly addresses: readonly string[];
  readonly gateway4?: string;
  readonly gateway6?: string;
  /** With `gateway`: through it. Without: on the link. */
  readonly routes: readonly { readonly dst: string; readonly gateway?: string }[];
}

/** A process, which no later one with its number is. */
export interface ProcessRef {
  readonly pid: number;
  /** When it began, in clock ticks since the boot: field 22 of /proc/[pid]/stat. */
  readonly since: string;
}

/** The interface that the plugins made. */
export interface ListedInterface {
  readonly mac: string;
  /** The MAC that hardware came with. */
  readonly permMac?: string;
  /** IFLA_INFO_KIND; absent for hardware. */
  readonly kind?: string;
  /** Plugins that move hardware write its name here. */
  readonly alias?: string;
  /** All its addresses, with prefix lengths. */
  readonly addresses: readonly string[];
  /** The device of the host by which it is reached. */
  readonly hostDevice?: string;
}

/** One endpoint of such a network. Survives reboots, since what its plugins keep on disk does too. */
export interface ListedEndpoint {
  readonly attachment: Attachment;
  readonly bootId: string;
  readonly dockerNetwork: string;
  /** `adding`, `deleting`: plugins may have run, and DEL must. */
  readonly progress: 'adding' | 'ready' | 'deleting';
  /** Path of the namespace that the plugins work in. */
  readonly netns: string;
  readonly plugins: readonly { readonly type: string; readonly config: string }[];
  readonly path: readonly string[];
  readonly args: string;
  readonly seconds: number;
  /** What dockerd asked for, to recognize the same request. */
  readonly asked: string;
  /** The plugin that runs, or the last one that ran. */
  readonly running?: ProcessRef;
  /** The last plugin's result as JSON, or that of the last one that answered. */
  readonly result?: string;
  readonly link?: ListedInterface;
  readonly carried?: CarriedFacts;
  readonly inside?: SandboxFacts;
  /** Path of the container's namespace. */
  readonly sandboxKey?: string;
}
