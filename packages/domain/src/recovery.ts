import { CastellanError } from "./errors.ts";
import { type Metadata, type MetadataDelta, mergeOwnOver } from "./metadata.ts";
import type { EgressPolicy } from "./network.ts";
import { type Epoch, type Micros, nextRevision, type Revision } from "./revision.ts";
import type { AppliedRevisions, LiveField } from "./sandbox.ts";

/** A node as it stands to a new epoch of the store. */
export interface HeardNode {
  readonly nodeId: string;
  /** It has listed in this epoch what it runs, and all of that has reached the store. */
  readonly reported: boolean;
  /** Its lease has run out, and it has had the time of another one to report. */
  readonly lapsed: boolean;
}

/**
 * What is known of a record from before the epoch: `none`, it waits; `some`, it may be edited: its own node has reported,
 * and so has every other one or its lease has run out; `all`, every node has reported. A node that the operator has
 * forgotten is vouched for; one that is merely not registered is not.
 */
export function reachOf(
  ownNodeId: string,
  registered: readonly HeardNode[],
  forgotten: ReadonlySet<string>,
): "none" | "some" | "all" {
  const own = registered.find(({ nodeId }) => nodeId === ownNodeId);
  if (own === undefined ? !forgotten.has(ownNodeId) : !own.reported) return "none";
  if (registered.every(({ reported }) => reported)) return "all";
  return registered.every(({ reported, lapsed }) => reported || lapsed) ? "some" : "none";
}

/** The error of what waits for that. */
export function notVerified(sandboxId: string): CastellanError {
  const message = `Sandbox "${sandboxId}" waits for the nodes to report after a restart of the store; try again`;
  return new CastellanError("unavailable", message, { retryAfterSeconds: 1 });
}

/** The live fields of a record. */
export interface LiveFields {
  readonly metadata: LiveField<Metadata>;
  readonly endTime: LiveField<Micros>;
  readonly egress: LiveField<EgressPolicy>;
}

/** The same as a node holds them. */
export interface FoundFields {
  readonly metadata: { readonly value: Metadata; readonly revision: Revision };
  readonly endTime: { readonly value: Micros; readonly revision: Revision };
  readonly egress: { readonly value: EgressPolicy; readonly revision: Revision };
}

/** What a record was given before every node had reported: it goes over whatever a late node still brings. */
export interface OwnEdits {
  /** The record's revisions before the first of them, or of what has been taken from nodes since. */
  readonly since: AppliedRevisions;
  /** All of them as one. */
  readonly metadata: MetadataDelta;
  /** Whether the end of life was set; otherwise it was only ever extended. */
  readonly endTimeSet: boolean;
}

export interface Taken {
  readonly fields: LiveFields;
  /** As it stands afterwards, if there was any. */
  readonly own: OwnEdits | undefined;
  /** Whether the node held anything that the record did not know: `merged` where own edits went over it. */
  readonly outcome: "nothing" | "adopted" | "merged";
}

/**
 * Takes over what a node holds beyond a record. A node's revision above the record's last one is foreign: the store has
 * forgotten it. Without an own edit the record takes value and revision; with one, the own edit over the node's value,
 * at a revision above both. "Applied" is what the node holds of each field.
 */
export function takeFound(
  record: LiveFields,
  own: OwnEdits | undefined,
  found: FoundFields,
  clock: { readonly now: Micros; readonly epoch: Epoch },
): Taken {
  let outcome: Taken["outcome"] = "nothing";
  const take = <T>(name: keyof LiveFields, mine: LiveField<T>, theirs: Found<T>, over: (value: T) => T) => {
    const since = own?.since[name] ?? mine.revision;
    const applied = theirs.revision;
    if (theirs.revision <= since) return { ...mine, applied };
    if (mine.revision === since) {
      if (outcome === "nothing") outcome = "adopted";
      return { value: theirs.value, revision: theirs.revision, applied };
    }
    outcome = "merged";
    const revision = nextRevision(Math.max(mine.revision, theirs.revision), clock.now, clock.epoch);
    return { value: over(theirs.value), revision, applied };
  };
  const endTime = record.endTime.value;
  const fields: LiveFields = {
    metadata: take("metadata", record.metadata, found.metadata, (value) =>
      mergeOwnOver(value, own?.metadata ?? new Map()),
    ),
    endTime: take("endTime", record.endTime, found.endTime, (value) =>
      own?.endTimeSet ? endTime : Math.max(endTime, value),
    ),
    egress: take("egress", record.egress, found.egress, () => record.egress.value),
  };
  return { fields, own: own && { ...own, since: highest(own.since, found) }, outcome };
}

interface Found<T> {
  readonly value: T;
  readonly revision: Revision;
}

/** What has been taken once is not foreign the next time. */
function highest(since: AppliedRevisions, { metadata, endTime, egress }: FoundFields): AppliedRevisions {
  return {
    metadata: Math.max(since.metadata, metadata.revision),
    endTime: Math.max(since.endTime, endTime.revision),
    egress: Math.max(since.egress, egress.revision),
  };
}
