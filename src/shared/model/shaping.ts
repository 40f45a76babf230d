/** A limit as runtimes write it. */
export interface RateLimit {
  /** Bits a second, above 0. */
  readonly rate: number;
  /** Bits that may go at once, above 0. */
  readonly burst: number;
}

/** What of a device's traffic control is ours: `tc qdisc show`, `tc filter show`. Empty where nothing is. */
export interface ShapingState {
  /** The token bucket on what leaves by the device. */
  readonly tbf?: TbfState;
  /** Where what comes in by the device goes instead: the name of the device. */
  readonly redirect?: string;
}

export interface TbfState {
  /** Bytes a second. */
  readonly rate: number;
  /** How long a full bucket lasts at this rate, in ticks, to 32 bits: the kernel keeps this in place of the burst. */
  readonly ticks: number;
  /** Bytes that may wait, those of the bucket included. */
  readonly limit: number;
}

/** Rate and burst as `tbf.add` has them. */
export interface TbfSpec {
  /** Bytes a second. */
  readonly rate: number;
  /** Bytes. */
  readonly burst: number;
  /** Milliseconds that a packet may wait. */
  readonly latency: number;
}

/** net/pkt_sched.h, PSCHED_SHIFT: a tick of the packet schedulers is 64 ns on every kernel since 2.6.31. */
const TICK_SHIFT = 6n;
const U32_MAX = 0xffffffff;

/** The state that a token bucket has in the kernel. */
export function tbfState({ rate, burst, latency }: TbfSpec): TbfState {
  const ticks = ((BigInt(burst) * 1_000_000_000n) / BigInt(rate)) >> TICK_SHIFT;
  return {
    rate,
    ticks: Number(ticks & BigInt(U32_MAX)),
    limit: Math.min(U32_MAX, Math.floor((rate * latency) / 1000) + burst),
  };
}

/** True where the kernel's state is what it makes of `spec`, whose times it rounds. */
export function isTbf(state: TbfState, spec: TbfSpec): boolean {
  const wanted = tbfState(spec);
  const apart = Math.abs(state.ticks - wanted.ticks);
  return state.rate === wanted.rate && state.limit === wanted.limit && Math.min(apart, U32_MAX + 1 - apart) <= 2;
}
