/** A guard taken out of the source, and the tests that must notice. */
export interface Mutant {
  /** What is no longer so. */
  readonly guard: string;
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  /** Test files, of which at least one test must fail. */
  readonly tests: readonly string[];
  /** Vitest's project: `unit` or `system`; the latter starts whole installations and needs root. */
  readonly project: "unit" | "system";
}

const applyUpdate = "apps/orchestrator/src/sandboxes/apply-update.ts";
/** It stands before the disk is touched, and again where state is rebuilt from the log. */
const unfenced = [
  {
    file: applyUpdate,
    from: "metadata.revision > held.metadata.revision ? { metadata } : {}",
    to: "metadata.revision > 0 ? { metadata } : {}",
  },
  {
    file: "apps/orchestrator/src/state/node-state.ts",
    from: "metadata !== undefined && metadata.revision > held.metadata.revision",
    to: "metadata !== undefined && metadata.revision > 0",
  },
];
const neverAgain = [
  {
    file: "apps/api/src/loops/repush.ts",
    from: "(await pusher.resend(record, behind, epoch, timing.confirmMs))",
    to: "behind.length < 0",
  },
  {
    file: "apps/api/src/loops/reconciler.ts",
    from: "if (behind.length > 0 && isVerified) void",
    to: "if (behind.length < 0 && isVerified) void",
  },
];

const sqliteEdits = "packages/store/src/sqlite/edits.ts";
const sqliteRecovery = "packages/store/src/sqlite/recovery.ts";
const sqliteContract = ["packages/store/src/sqlite/contract.test.ts"];
const reconciler = "apps/api/src/loops/reconciler.ts";

/** The guards behind the promise that store and node agree. */
export const mutants: readonly Mutant[] = [
  {
    guard: "a node applies only what is newer than what it holds",
    edits: unfenced,
    tests: ["apps/orchestrator/src/sandboxes/apply-update.test.ts"],
    project: "unit",
  },
  {
    guard: "a node applies only what is newer, with real parts",
    edits: unfenced,
    tests: ["test/faults/swapped-pushes.test.ts"],
    project: "system",
  },
  {
    guard: "a node takes updates for its own execution only",
    edits: [{ file: applyUpdate, from: "execution.executionId !== executionId", to: "execution === undefined" }],
    tests: ["apps/orchestrator/src/sandboxes/apply-update.test.ts"],
    project: "unit",
  },
  {
    guard: "a node refuses an epoch that is older than what it has seen",
    edits: [{ file: applyUpdate, from: "if (!(await journal.admitEpoch(epoch))) return stale();", to: "" }],
    tests: ["apps/orchestrator/src/sandboxes/apply-update.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit that a node has not confirmed is pushed again",
    edits: neverAgain,
    tests: ["apps/api/src/push.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit that a node has not confirmed is pushed again, with real parts",
    edits: neverAgain,
    tests: ["test/faults/node-away.test.ts"],
    project: "system",
  },
  {
    guard: "an edit is merged into what is stored",
    edits: [
      {
        file: "packages/store/src/sqlite/edits.ts",
        from: "applyMetadataDelta(record.metadata.value, edit.delta)",
        to: "applyMetadataDelta(new Map(), edit.delta)",
      },
    ],
    tests: ["packages/store/src/sqlite/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit notes in its own step that a push is due",
    edits: [
      {
        file: "packages/store/src/sqlite/edits.ts",
        from: "return Math.min(stored.pushDue ?? due, due);",
        to: "return due < 0 ? due : (stored.pushDue ?? null);",
      },
    ],
    tests: ["packages/store/src/sqlite/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "a command that is sent twice takes effect once",
    edits: [
      {
        file: "packages/store/src/sqlite/edits.ts",
        from: 'if (stored && db.get("SELECT 1 FROM operations WHERE operation = ?", operation)) {',
        to: "if (stored && edit.epoch < 0) {",
      },
    ],
    tests: ["packages/store/src/sqlite/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "a command that is sent twice takes effect once, in Redis",
    edits: [
      {
        file: "packages/store/src/redis/lua/edits.ts",
        from: "digits(span - 1), operation) == 1) then replayed = 1 end",
        to: "digits(span - 1), operation) == 1) then replayed = 0 end",
      },
    ],
    tests: ["packages/store/src/redis/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit with an idempotency key takes effect once",
    edits: [{ file: "packages/store/src/sqlite/edits.ts", from: "if (replay) return replay;", to: "" }],
    tests: ["packages/store/src/sqlite/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "an idempotency key stands for one edit only",
    edits: [
      {
        file: "packages/store/src/redis/lua/edits.ts",
        from: "if content ~= ARGV[15] then return {'reused'} end",
        to: "",
      },
    ],
    tests: ["packages/store/src/redis/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit is in the history from the step that makes it",
    edits: [
      {
        file: "packages/store/src/redis/lua/edits.ts",
        from: "recordChange(id, tonumber(fields[MREV]), now, 'edited'",
        to: "local _ = (function() end)(id, tonumber(fields[MREV]), now, 'edited'",
      },
    ],
    tests: ["packages/store/src/redis/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit is answered and pushed only once it is committed",
    edits: [
      {
        file: "packages/store/src/sqlite/group-commit.ts",
        from: "for (const job of batch) answers.push(this.#attempt(job));",
        to: "for (const job of batch) this.#attempt(job)();",
      },
    ],
    tests: ["packages/store/src/sqlite/group-commit.test.ts"],
    project: "unit",
  },
  {
    guard: "what is visible on a node is seeded",
    edits: [
      {
        file: "apps/orchestrator/src/sandboxes/node-sandboxes.ts",
        from: "if (execution.seeded) yield execution;",
        to: "yield execution;",
      },
    ],
    tests: ["apps/orchestrator/src/sandboxes/lifecycle.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit that began before the store's epoch is refused",
    edits: [{ file: sqliteEdits, from: "if (edit.epoch !== db.epoch) throw staleEpoch();", to: "" }],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "in a new epoch a record takes no edit before it is verified",
    edits: [
      {
        file: sqliteEdits,
        from: "if (epoch !== db.epoch || (fully && !fullyVerified))",
        to: "if (epoch > db.epoch || (fully && !fullyVerified))",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "in a new epoch a record takes no edit before it is verified, in Redis",
    edits: [
      {
        file: "packages/store/src/redis/lua/edits.ts",
        from: "if not partly or ifMatch ~= '' then return {'unverified'} end",
        to: "",
      },
    ],
    tests: ["packages/store/src/redis/contract.test.ts"],
    project: "unit",
  },
  {
    guard: "a record is not verified before every node that answers has reported",
    edits: [
      {
        file: "packages/domain/src/recovery.ts",
        from: 'return registered.every(({ reported, lapsed }) => reported || lapsed) ? "some" : "none";',
        to: 'return "some";',
      },
    ],
    tests: ["apps/api/src/recovery/late-node.test.ts"],
    project: "unit",
  },
  {
    guard: "an edit with a condition waits for every node",
    edits: [
      {
        file: sqliteEdits,
        from: "if (epoch !== db.epoch || (fully && !fullyVerified))",
        to: "if (epoch !== db.epoch || (fully && epoch === 0 && !fullyVerified))",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "own edits go over what a late node brings",
    edits: [
      {
        file: "packages/domain/src/recovery.ts",
        from: "mergeOwnOver(value, own?.metadata ?? new Map()),",
        to: "mergeOwnOver(value, new Map()),",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "what a node holds and the store has forgotten is taken over",
    edits: [
      {
        file: "packages/domain/src/recovery.ts",
        from: "if (theirs.revision <= since) return { ...mine, applied };",
        to: "if (theirs.revision >= 0) return { ...mine, applied };",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "a confirmation counts as the maximum within one boot",
    edits: [
      {
        file: sqliteEdits,
        from: "sameBoot ? Math.max(number(row[",
        to: "sameBoot ? Math.min(Infinity + number(row[",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "the higher generation wins",
    edits: [
      {
        file: sqliteRecovery,
        from: "sandbox.generation > record.generation;",
        to: "sandbox.generation >= 0;",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "an execution is no orphan for being another one: it must be older",
    edits: [{ file: reconciler, from: "record.generation > Number(listed.generation) &&", to: "" }],
    tests: ["apps/api/src/loops/loops.test.ts"],
    project: "unit",
  },
  {
    guard: "an orphan is ended only once the record of the newer execution is verified",
    edits: [
      {
        file: reconciler,
        from: "record.bootId !== undefined &&\n      record.epoch === epoch;",
        to: "record.bootId !== undefined;",
      },
    ],
    tests: ["apps/api/src/recovery/late-node.test.ts"],
    project: "unit",
  },
  {
    guard: "what was removed is not taken over again",
    edits: [
      {
        file: sqliteRecovery,
        from: 'if (isTombstoned(db, sandbox.sandboxId, executionId)) return "tombstoned";',
        to: "",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "a node that has said of an execution that it is absent never starts it",
    edits: [
      {
        file: "apps/orchestrator/src/sandboxes/node-sandboxes.ts",
        from: "if (this.#promised.has(executionId) || journal.state.refuses(executionId)) {",
        to: "if (this.#closing.signal.aborted) {",
      },
    ],
    tests: ["apps/orchestrator/src/sandboxes/lifecycle.test.ts"],
    project: "unit",
  },
  {
    guard: "a sandbox is ended at its time only if that has not moved",
    edits: [
      {
        file: "packages/store/src/sqlite/life.ts",
        from: 'stored.record.state !== "running" || stored.record.endTime.value > db.now()',
        to: 'stored.record.state !== "running"',
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
  {
    guard: "a sandbox is not ended at its time while the store may have forgotten that it was moved",
    edits: [
      {
        file: "packages/store/src/sqlite/life.ts",
        from: "if (stored.record.epoch !== db.epoch) return undefined;",
        to: "",
      },
    ],
    tests: sqliteContract,
    project: "unit",
  },
];
