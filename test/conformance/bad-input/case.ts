import type { CniCommand, pluginNames } from '../../support/cni.ts';
import type { CniHost } from '../../support/cni-host.ts';

/** One call that has to be refused, and how. */
export interface BadInput {
  readonly title: string;
  /** `code` of the answer: SPEC.md §5; from 100 on this plugin's own, errors/catalog.ts. */
  readonly code: number;
  /** Parts of `msg`: key, value, rule. */
  readonly says: readonly string[];
  /** The stderr of a delegate. Default: nothing. */
  readonly stderr?: string;
  /** A part of `details`: what to do. */
  readonly hint?: string;
  /** ADD by default. */
  readonly command?: CniCommand;
  /** `isthmus` by default. */
  readonly name?: (typeof pluginNames)[number];
  /** Added to the environment of pod 1's call; undefined removes. */
  readonly env?: (host: CniHost) => Readonly<Record<string, string | undefined>>;
  readonly args?: string;
  /** Changes of the scene's configuration of network `web`; undefined removes a key. */
  readonly top?: Readonly<Record<string, unknown>>;
  /** Changes of its `ipam`. */
  readonly ipam?: Readonly<Record<string, unknown>>;
  /** The whole of stdin, in place of a configuration. */
  readonly stdin?: string;
  /** Command in front of the executable. */
  readonly prefix?: readonly string[];
  /** `cniVersion` of the answer; that of the configuration, 1.1.0, by default. */
  readonly cniVersion?: string;
}
