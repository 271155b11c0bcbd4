/**
 * Times, revisions and epochs are whole microseconds since 1970 as plain numbers: exact in a double until the year 2255,
 * and so in JSON, in Lua and in SQLite. Only Lua's and cjson's *formatting* rounds them; they travel as strings there.
 */
export type Micros = number;

/** Orders the states of one live-editable field. 0 means "never set". */
export type Revision = number;

/** Names one incarnation of the store; above every epoch and revision that anyone knew when it began. */
export type Epoch = number;

/** The revision of a new state: above the previous one, the store's clock and the epoch, so that it only ever grows. */
export function nextRevision(previous: Revision, now: Micros, epoch: Epoch): Revision {
  return Math.max(previous + 1, now, epoch);
}

/** The epoch of a new incarnation of the store, above everything known from before. */
export function nextEpoch(now: Micros, ...known: readonly (Epoch | Revision)[]): Epoch {
  return known.reduce((highest, one) => Math.max(highest, one + 1), now);
}
