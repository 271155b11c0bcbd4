/**
 * Places around the waits of commit, push and confirm at which a test can step in: die, wait or fail there. Without a
 * test there is no hook, and a place costs one comparison.
 */
export const failpointNames = [
  /** The control plane: before an edit goes to the store, and once it is committed and nobody knows. */
  "api.commit.before",
  "api.commit.after",
  /** Before an edit waits for its node, when its message leaves, when a node's answer arrives, and before the client's. */
  "api.push.before",
  "api.push.leaving",
  "api.push.answered",
  "api.push.after",
  /** Before and after what nodes hold is noted in the store. */
  "api.confirm.before",
  "api.confirm.after",
  /** The SQLite store: around COMMIT. */
  "sqlite.commit.before",
  "sqlite.commit.after",
  /** The node: an update is let in, around the append to the state log, and before it is confirmed. */
  "node.update.before",
  "node.append.before",
  "node.append.after",
  "node.update.after",
] as const;

export type FailpointName = (typeof failpointNames)[number];

/** What a test hands to the parts of the service. */
export interface Failpoints {
  /** May throw. For places within one turn of the event loop. */
  now(name: FailpointName): void;
  /** May wait or reject. */
  wait(name: FailpointName): Promise<void>;
}
