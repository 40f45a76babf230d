import { given } from '../model/given.ts';
import { SO_ATTACH_FILTER, SOL_SOCKET } from './constants.ts';
import { addressOf, setsockopt } from './sys.ts';

/**
 * One step of a classic BPF program. A test names the labels to jump to; without `no`, the next step follows. Loads are
 * in network order. `attr` and `nestedAttr` set the accumulator to the offset of the attribute of type `type`, or to 0
 * if it is absent: `attr` searches from offset `from`, `nestedAttr` inside the attribute at the accumulator.
 * `value` loads from the value of that attribute. `ipHeader` sets the index to the length of the IPv4 header at that offset;
 * `indexed` loads a half word at the offset plus the index.
 */
export type Step =
  | { readonly label: string }
  | { readonly load: 'byte' | 'half'; readonly at: number }
  | { readonly ipHeader: number }
  | { readonly indexed: number }
  | { readonly attr: number; readonly from: number }
  | { readonly nestedAttr: number }
  | { readonly value: 'word' | 'half' }
  | { readonly equals: number; readonly yes: string; readonly no?: string }
  | { readonly anyBit: number; readonly yes: string; readonly no?: string }
  | { readonly go: string }
  | { readonly keep: boolean };

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly yes?: string;
  readonly no?: string;
}

// linux/bpf_common.h, linux/filter.h
const LD_IMM = 0x00;
const LDX_IMM = 0x01;
const LD_W_ABS = 0x20;
const LD_H_ABS = 0x28;
const LD_B_ABS = 0x30;
const LD_W_IND = 0x40;
const LD_H_IND = 0x48;
const LDX_MSH = 0xb1;
const JA = 0x05;
const JEQ = 0x15;
const JSET = 0x45;
const TAX = 0x07;
const RET = 0x06;
const SKF_AD_NLATTR = 0xfffff000 + 12;
const SKF_AD_NLATTR_NEST = 0xfffff000 + 16;
/** struct nlattr. */
const ATTR_HEADER = 4;
const ALL = 0xffffffff;

/** The kernel passes only datagrams that the program accepts to the socket; the others wake no process. */
export function attachFilter(fd: number, steps: readonly Step[]): void {
  const program = assemble(steps);
  // struct sock_fprog: the number of instructions and their address.
  const descriptor = new DataView(new ArrayBuffer(16));
  descriptor.setUint16(0, program.length / 8, true);
  descriptor.setBigUint64(8, addressOf(program), true);
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(descriptor.buffer));
}

/** Encodes the program as an array of struct sock_filter. Throws if a label is missing or precedes its jump. */
export function assemble(steps: readonly Step[]): Uint8Array<ArrayBuffer> {
  const labels = new Map<string, number>();
  const instructions: Instruction[] = [];
  for (const step of steps) {
    if ('label' in step) labels.set(step.label, instructions.length);
    else instructions.push(...instructionsOf(step));
  }
  const out = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(({ code, k, yes, no }, at) => {
    const distance = (label: string | undefined): number => {
      if (label === undefined) return 0;
      const target = labels.get(label) ?? -1;
      if (target <= at || target - at > 0xff) throw new RangeError(`label ${label} cannot be reached from ${at}`);
      return target - at - 1;
    };
    out.setUint16(at * 8, code, true);
    out.setUint8(at * 8 + 2, code === JA ? 0 : distance(yes));
    out.setUint8(at * 8 + 3, distance(no));
    out.setUint32(at * 8 + 4, code === JA ? distance(yes) : k, true);
  });
  return new Uint8Array(out.buffer);
}

function instructionsOf(step: Exclude<Step, { readonly label: string }>): Instruction[] {
  if ('load' in step) return [{ code: step.load === 'byte' ? LD_B_ABS : LD_H_ABS, k: step.at }];
  if ('ipHeader' in step) return [{ code: LDX_MSH, k: step.ipHeader }];
  if ('indexed' in step) return [{ code: LD_H_IND, k: step.indexed }];
  if ('attr' in step) {
    const [from, type] = [step.from, step.attr];
    return [
      { code: LD_IMM, k: from },
      { code: LDX_IMM, k: type },
      { code: LD_W_ABS, k: SKF_AD_NLATTR },
    ];
  }
  if ('nestedAttr' in step) {
    return [
      { code: LDX_IMM, k: step.nestedAttr },
      { code: LD_W_ABS, k: SKF_AD_NLATTR_NEST },
    ];
  }
  if ('value' in step) {
    return [
      { code: TAX, k: 0 },
      { code: step.value === 'word' ? LD_W_IND : LD_H_IND, k: ATTR_HEADER },
    ];
  }
  if ('go' in step) return [{ code: JA, k: 0, yes: step.go }];
  if ('keep' in step) return [{ code: RET, k: step.keep ? ALL : 0 }];
  const { yes, no } = step;
  const branches = { yes, ...given({ no }) };
  return 'equals' in step
    ? [{ code: JEQ, k: step.equals, ...branches }]
    : [{ code: JSET, k: step.anyBit, ...branches }];
}
