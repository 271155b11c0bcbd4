/**
 * Every key of this store. What belongs to one team stands under one hash tag, so that a cluster keeps it in one slot
 * and a script that is given the team's epoch key can name all the others:
 *
 *     cs:{team}:epoch      the highest epoch that has written here; there from the team's first moment on
 *     cs:{team}:team       the team, JSON
 *     cs:{team}:i:<id>     what never changes about a sandbox, JSON
 *     cs:{team}:s:<id>     the rest, text: a field a line, then the metadata (see record-fields.ts)
 *     cs:{team}:o:<id>:<span>   set: the operation ids of one span of time; expires
 *     cs:{team}:d:<id>     hash: what the metadata was given before every node had reported, by key
 *     cs:{team}:h:<id>     list: the history of a sandbox's metadata, the newest last
 *     cs:{team}:k:<id>     hash: what commands with an idempotency key ended with, by key; `bytes` of what is in km
 *     cs:{team}:kt:<id>    list: those keys, the newest first
 *     cs:{team}:km:<id>    list: the metadata that they ended with, each after a line with its revision, the newest first
 *     cs:{team}:x:<id>:<execution>   a tombstone; expires
 *     cs:{team}:live       set: the sandboxes that count as concurrent
 *     cs:{team}:push, ends, states   sorted sets by time: due for a push, end of life of running ones, state deadlines
 *     cs:{team}:n:<node>   sorted set: the sandboxes placed on a node
 *     cs:{team}:l:r, l:p   sorted sets: the sandboxes that show as running or paused, in list order
 *     cs:{team}:b:r:<label>, b:p:<label>   the same, of those that carry one label (a tag, or a template's name); a
 *                          long label by its SHA-1
 *     cs:{team}:events     stream: what happened to the team's sandboxes (see events/event-text.ts)
 *     cs:{team}:webhooks   set: the team's webhooks
 *     cs:{team}:w:<id>, d:<id>   a webhook and how far it is, hash; its dead letters, list
 *
 * The others have slots of their own, and are written before what they lead to; an entry that leads nowhere is harmless.
 */
const prefix = "cs:";

export function teamEpochKey(teamId: string): string {
  return `${prefix}{${teamId}}:epoch`;
}

/** The record itself: `cs:{team}:s:<id>`. */
export function recordKey(teamId: string, sandboxId: string): string {
  return `${prefix}{${teamId}}:s:${sandboxId}`;
}

export function teamKey(teamId: string): string {
  return `${prefix}{${teamId}}:team`;
}

/** The store's epoch and the server's run id that it belongs to. */
export const epochKey = `${prefix}epoch`;

/** All nodes; hash by node id. */
export const nodesKey = `${prefix}nodes`;

/** The team of a sandbox. */
export function sandboxTeamKey(sandboxId: string): string {
  return `${prefix}sandbox-team:${sandboxId}`;
}

export function apiKeyKey(keyHash: string): string {
  return `${prefix}api-key:${keyHash}`;
}

/** The teams that have ever had a sandbox on the node. */
export function nodeTeamsKey(nodeId: string): string {
  return `${prefix}node-teams:${nodeId}`;
}

/**
 * The access tokens of secure sandboxes: a sorted set of sandboxes by the place of their token, and in the same slot
 * `…:of`, hash, the tokens, and `…:last`, the last place given. The tag is none that a team can have.
 */
export const accessTokensKey = `${prefix}{access.tokens}:list`;

/** What the control loops look for in a team's own sorted sets. */
export type Work = "push" | "ends" | "states" | "webhooks";

/** All teams, by the time at which one of them is to be looked at for this work. */
export function workKey(work: Work): string {
  return `${prefix}work:${work}`;
}
