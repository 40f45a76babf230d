/** Options of the dummy driver: it has none. */
export interface DummyOptions {
  readonly driver: 'dummy';
}

/** Returns the options of driver `dummy`. */
export function parseDummy(): DummyOptions {
  return { driver: 'dummy' };
}
