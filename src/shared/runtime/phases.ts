/** How long a call took, in milliseconds. */
export interface Times {
  readonly ms: number;
  /** By phase. */
  readonly phases: Readonly<Record<string, number>>;
}

/** Measures the phases of one call. */
export interface Phases {
  /** Assigns the time since the last mark, or since the call began, to this phase. */
  readonly mark: (phase: string) => void;
  /** Returns `ms`, and `<phase>_ms` for each phase, in milliseconds. */
  readonly fields: () => Readonly<Record<string, number>>;
  /** The same, apart. */
  readonly times: () => Times;
}

/** `now` returns milliseconds; `since` is its value when the call began. */
export function makePhases(now: () => number, since: number): Phases {
  const spent = new Map<string, number>();
  let last = since;
  return {
    mark: (phase) => {
      const at = now();
      spent.set(phase, (spent.get(phase) ?? 0) + at - last);
      last = at;
    },
    fields: () => ({
      ms: rounded(now() - since),
      ...Object.fromEntries([...spent].map(([phase, time]) => [`${phase}_ms`, rounded(time)])),
    }),
    times: () => ({
      ms: rounded(now() - since),
      phases: Object.fromEntries([...spent].map(([phase, time]) => [phase, rounded(time)])),
    }),
  };
}

/** Rounds to hundredths. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
