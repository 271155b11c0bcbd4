/** Where a team's stream of events ends. */
export interface LastEvent {
  readonly id: number;
  readonly number: number;
  readonly total: number;
}

const teamsKept = 1_000;

/**
 * Where the streams end that were written to last: nobody else writes them, and asking costs as much as adding. An event
 * whose transaction fails leaves a gap in the counts, which nobody minds.
 */
export class LastEvents {
  readonly #byTeam = new Map<string, LastEvent>();

  get(teamId: string): LastEvent | undefined {
    return this.#byTeam.get(teamId);
  }

  set(teamId: string, last: LastEvent): void {
    if (this.#byTeam.size >= teamsKept && !this.#byTeam.has(teamId)) {
      const oldest = this.#byTeam.keys().next();
      if (oldest.done !== true) this.#byTeam.delete(oldest.value);
    }
    this.#byTeam.set(teamId, last);
  }
}
