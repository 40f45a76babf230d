import { strict as assert } from 'node:assert';
import { pluginDir, referenceDir } from '../support/cni.ts';
import { FORMS, type Form, type Lab, makeLab } from './firewall-lab.ts';
import { type Arms, armOf, unlikeReference } from './unlike-reference.ts';

export interface FilterDefect {
  readonly pods?: number;
  /** The behaviour of the reference. */
  readonly reference: Arms<[lab: Lab, dir: string]>;
  /** The correct behaviour, under the reference's names and as one element. */
  readonly ours: (lab: Lab, form: Form, dir: string) => void | Promise<void>;
}

/** The reference's network, as it is written there. */
export const CHAIN: Form = 'bridge, portmap, firewall';

/** The reference's two, of which 1.1.1 has one: it ignores the keys that choose. */
export const BACKENDS = ['iptables', 'nftables'] as const;

/** A row of docs/differences.md that rules of the packet filter show. */
export function filterDefect(id: string, what: string, { pods = 1, reference, ours }: FilterDefect): void {
  unlikeReference(id, what, {
    reference: async () => {
      using lab = await makeLab(pods);
      await armOf(reference)(lab, referenceDir);
    },
    ours: Object.fromEntries(
      FORMS.map((form) => [
        form,
        async () => {
          using bin = pluginDir();
          using lab = await makeLab(pods);
          const before = lab.rules();
          await ours(lab, form, bin.path);
          assert.equal(lab.rules(), before, 'nothing is left of ours');
        },
      ]),
    ),
  });
}
