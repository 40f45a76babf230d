/** Where the time of one call went. */
export interface Phases {
  /** The time since the last mark, or since the call began, went into this phase. */
  readonly mark: (phase: string) => void;
  /** `ms`, and `<phase>_ms` for each phase, in milliseconds. */
  readonly fields: () => Readonly<Record<string, number>>;
}

/** `now` tells milliseconds; the call began when it told `since`. */
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
  };
}

/** To the hundredth. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
