/** How far back a team's events go: so many, so many bytes, and so long. Each is exceeded by a little between upkeeps. */
export const eventsKept = { count: 100_000, bytes: 64 * 1024 * 1024, micros: 7 * 24 * 3_600_000_000 } as const;

/** Events that one uninterrupted step of a search looks at. */
export const eventsPerStep = 500;

/** One in so many edits looks after the limits. */
export const upkeepEvery = 256;
