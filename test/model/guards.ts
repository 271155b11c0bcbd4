import { mergeMetadata } from "@castellan/domain";
import type { MetadataEdit, SandboxStore } from "@castellan/store";
import type { StateRecord } from "../../apps/orchestrator/src/state/records.ts";
import type { Parts, Seams } from "./seams.ts";

/** A guard of the protocol, and how to take it away without touching the code that has it. */
export interface Guard {
  readonly guard: string;
  /** The configuration whose search must then come upon a wrong state. */
  readonly configuration: string;
  readonly without: Seams;
  /** Words of what it finds. */
  readonly finds: RegExp;
}

export const guards: readonly Guard[] = [
  {
    guard: "revision fence: a node applies only what is newer than what it holds",
    configuration: "late pushes",
    without: {
      toNode: (parts, node, method, request) => ({
        node: method === "update" ? withoutRevision(parts, node) : node,
        request,
      }),
    },
    finds: /no node holds more than/,
  },
  {
    guard: "execution id: a confirmation counts for the execution that it names",
    configuration: "resume elsewhere",
    without: {
      toStore: async (parts, store, method, args) => {
        const record = method === "confirm" ? await parts.store.record(store, "i1") : undefined;
        const [reports] = args;
        if (record === undefined || !Array.isArray(reports)) return { store, args };
        return { store, args: [reports.map((report) => ({ ...report, executionId: record.executionId }))] };
      },
    },
    finds: /takes \d+ for applied/,
  },
  {
    guard: "execution id: an end counts for the execution that it names (late kill)",
    configuration: "resume here",
    without: {
      toNode: (parts, node, method, request) => {
        const running = parts.nodes.view(node, "i1").running.at(-1);
        if (method !== "delete" || running === undefined) return { node, request };
        return { node, request: JSON.stringify({ ...JSON.parse(request), executionId: running }) };
      },
    },
    finds: /ended e2/,
  },
  {
    guard: "generation: only an older execution is ended because of a newer one",
    configuration: "resume here",
    without: {
      fromNode: (_before, step, method) => {
        if (method !== "list" || !("value" in step.answer)) return step;
        const value = String(step.answer.value).replaceAll(/"generation":"\d+"/g, '"generation":"0"');
        return { ...step, answer: { value } };
      },
    },
    finds: /the only execution e2 was ended/,
  },
  {
    guard: "confirmed running: an older execution is ended only once the newer one runs",
    configuration: "resume elsewhere",
    without: {
      fromStore: (method, answer) => {
        const record: unknown = "value" in answer ? answer.value : undefined;
        if (method !== "locate" || typeof record !== "object" || record === null) return answer;
        return { value: { ...record, state: "running", bootId: "b1" } };
      },
    },
    finds: /the only execution e1 was ended/,
  },
  {
    guard: "delta instead of map: an edit is merged into what is stored",
    configuration: "writers",
    without: { asSeen: sendingWholeMaps },
    finds: /and op-w\d had set it/,
  },
  {
    guard: "confirm takes the maximum within one boot",
    configuration: "late pushes",
    without: {
      toStore: async (parts, store, method, args) =>
        method === "confirm"
          ? { store: await parts.store.altered(store, "UPDATE sandboxes SET metadata_applied = 0"), args }
          : { store, args },
    },
    finds: /applied fell/,
  },
  {
    guard: "operation id: a command that is sent twice takes effect once",
    configuration: "resends",
    without: {
      toStore: async (_parts, store, method, args) => {
        const [command] = args;
        if (method !== "editMetadata" || typeof command !== "object") return { store, args };
        return { store, args: [{ ...command, operationId: `another-${store}` }] };
      },
    },
    finds: /took effect twice|and op-w\d had set it|two maps/,
  },
  {
    guard: "If-Match: an edit holds for the revision that it names",
    configuration: "if-match",
    without: {
      toStore: async (_parts, store, method, args) => {
        const [command] = args;
        if (method !== "editMetadata" || typeof command !== "object") return { store, args };
        return { store, args: [{ ...command, ifMatch: undefined }] };
      },
    },
    finds: /held for revision/,
  },
  {
    guard: "tombstone rule: what was removed is ended, and not taken over again",
    configuration: "kill",
    without: {
      toStore: async (parts, store, method, args) =>
        method === "adopt" || method === "isTombstoned"
          ? { store: await parts.store.altered(store, "DELETE FROM tombstones"), args }
          : { store, args },
    },
    finds: /it was killed, and the store has/,
  },
  {
    guard: "absent is a promise: what a node has said is not there never starts there",
    configuration: "unknown start",
    without: {
      fromNode: (before, step, method) =>
        method === "delete" && "value" in step.answer && !String(step.answer.value).includes('"deleted":true')
          ? { ...step, node: before }
          : step,
    },
    finds: /had promised that it never will/,
  },
  {
    guard: "verify first: in a new epoch a record takes no edit before its node has reported",
    configuration: "rollback of two edits",
    without: {
      toStore: async (parts, store, method, args) =>
        method === "editMetadata" ? { store: await parts.store.altered(store, inItsEpoch), args } : { store, args },
    },
    finds: /and op-w1 had set it/,
  },
];

/** Every record as if it were verified. */
const inItsEpoch = "UPDATE sandboxes SET fully_verified = 1, epoch = (SELECT value FROM facts WHERE name = 'epoch')";

/** What the node holds, as if it did not know how new that is. */
function withoutRevision({ nodes }: Parts, node: number): number {
  const content = nodes.content(node);
  const forget = (record: StateRecord): StateRecord =>
    record.kind === "live" && record.metadata !== undefined
      ? { ...record, metadata: { ...record.metadata, revision: 0 } }
      : record;
  return nodes.altered({ ...content, records: content.records.map(forget) });
}

/** Reads first, and then writes everything as it was read, with the edit in it. */
function sendingWholeMaps(store: SandboxStore): SandboxStore {
  const editMetadata = async (edit: MetadataEdit) => {
    const record = await store.get(edit.teamId, edit.sandboxId);
    const before = record?.metadata.value ?? new Map<string, string>();
    const { metadata } = mergeMetadata(before, edit.delta);
    const everything = new Map<string, string | null>(["a", "b", "c"].map((key) => [key, metadata.get(key) ?? null]));
    return store.editMetadata({ ...edit, delta: everything });
  };
  return new Proxy(store, {
    get: (target, name) => (name === "editMetadata" ? editMetadata : Reflect.get(target, name)),
  });
}
