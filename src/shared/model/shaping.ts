/** A rate limit in the units of runtimes. */
export interface RateLimit {
  /** Bits a second, above 0. */
  readonly rate: number;
  /** Burst in bits, above 0. */
  readonly burst: number;
}

/** Our part of a device's traffic control: `tc qdisc show`, `tc filter show`. Empty if the device has no such part. */
export interface ShapingState {
  /** The token bucket on the device's egress. */
  readonly tbf?: TbfState;
  /** Name of the device that ingress is redirected to. */
  readonly redirect?: string;
}

export interface TbfState {
  /** Bytes a second. */
  readonly rate: number;
  /** How long a full bucket lasts at this rate, in ticks, to 32 bits. The kernel stores this instead of the burst. */
  readonly ticks: number;
  /** Bytes that may queue, the bucket's included. */
  readonly limit: number;
}

/** Parameters of `tbf.add`. */
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

/** The state that the kernel reports for a token bucket. */
export function tbfState({ rate, burst, latency }: TbfSpec): TbfState {
  const ticks = ((BigInt(burst) * 1_000_000_000n) / BigInt(rate)) >> TICK_SHIFT;
  return {
    rate,
    ticks: Number(ticks & BigInt(U32_MAX)),
    limit: Math.min(U32_MAX, Math.floor((rate * latency) / 1000) + burst),
  };
}

/** The largest burst, in bytes, whose ticks at this rate have 32 bits: a bucket of 274 seconds. */
export function largestBurst(rate: number): number {
  const nanoseconds = (BigInt(U32_MAX) << TICK_SHIFT) * BigInt(rate);
  return Number(nanoseconds / 1_000_000_000n);
}

/** True if the kernel's state is that of `spec`, whose times the kernel rounds. */
export function isTbf(state: TbfState, spec: TbfSpec): boolean {
  const wanted = tbfState(spec);
  const apart = Math.abs(state.ticks - wanted.ticks);
  return state.rate === wanted.rate && state.limit === wanted.limit && Math.min(apart, U32_MAX + 1 - apart) <= 2;
}
