/** Does something sensitive, and says `done` when it came about; undefined where it did not, and the person knows why. */
export type Change = <T>(work: () => Promise<T>, done?: string) => Promise<{ result: T } | undefined>;
