import { describe, expect, test } from "vitest";
import { diceFrom } from "../dice.ts";
import { findLostEdits } from "./lost-edits.ts";
import { checkNodeView, type NodeSighting } from "./node-view.ts";
import { checkSandbox, describeFailure } from "./report.ts";
import { type SandboxAction, type SandboxOperation, type Tags, tagsOf } from "./sandbox-model.ts";

type Entries = Readonly<Record<string, string>>;
type Delta = Readonly<Record<string, string | null>>;
interface Asking {
  readonly ifMatch?: number;
  readonly key?: string;
}

const never = Number.POSITIVE_INFINITY;
const created = tagsOf([["stage", "new"]]);

function tags(entries: Entries): Tags {
  return tagsOf(Object.entries(entries));
}

/** An edit from `call` to `end`, answered with this map and revision. */
function edit(
  call: number,
  end: number,
  delta: Delta,
  map: Entries,
  revision: number,
  asking: Asking = {},
  status: 200 | 202 = 200,
) {
  return operation(call, end, {
    ...asked(delta, asking),
    outcome: { kind: "committed", status, tags: tags(map), revision, applied: status === 200 ? revision : 0 },
  });
}

function refused(call: number, end: number, delta: Delta, status: number, asking: Asking = {}) {
  return operation(call, end, { ...asked(delta, asking), outcome: { kind: "refused", status } });
}

function unknown(call: number, delta: Delta, asking: Asking = {}) {
  return operation(call, never, { ...asked(delta, asking), outcome: { kind: "unknown" } });
}

function read(call: number, end: number, map: Entries, revision: number) {
  return operation(call, end, { kind: "read", outcome: { kind: "found", tags: tags(map), revision, applied: 0 } });
}

function absent(call: number, end: number) {
  return operation(call, end, { kind: "read", outcome: { kind: "absent" } });
}

function kill(call: number, end: number, kind: "done" | "absent" | "unknown" = "done") {
  return operation(call, end, { kind: "kill", outcome: { kind } });
}

function asked(delta: Delta, { ifMatch, key }: Asking) {
  return {
    kind: "edit",
    delta,
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  } as const;
}

function operation(call: number, end: number, what: SandboxAction): SandboxOperation {
  return { call, return: end, what };
}

function check(...operations: SandboxOperation[]) {
  return checkSandbox({ sandboxId: "i1", created, operations }).linearizable;
}

describe("histories that may happen are accepted:", () => {
  test.each<[string, SandboxOperation[]]>([
    ["nothing at all", []],
    ["reads of what was created", [read(0, 1, { stage: "new" }, 5), read(2, 3, { stage: "new" }, 5)]],
    [
      "one edit after the other",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
        edit(2, 3, { a: null, b: "" }, { stage: "new" }, 6),
        read(4, 5, { stage: "new" }, 6),
      ],
    ],
    [
      "edits at once whose answers come in another order than their effects",
      [
        edit(0, 9, { a: "1" }, { stage: "new", a: "1" }, 5),
        edit(1, 3, { b: "2" }, { stage: "new", a: "1", b: "2" }, 6),
        read(4, 5, { stage: "new", a: "1", b: "2" }, 6),
      ],
    ],
    [
      "an edit without effect that keeps the revision",
      [read(0, 1, { stage: "new" }, 5), edit(2, 3, { stage: "new" }, { stage: "new" }, 5)],
    ],
    [
      "an edit that nobody was told of and that happened",
      [unknown(0, { a: "1" }), read(5, 6, { stage: "new", a: "1" }, 7)],
    ],
    ["one that did not happen", [unknown(0, { a: "1" }), read(5, 6, { stage: "new" }, 7)]],
    [
      "one that happens long after it was given up",
      [unknown(0, { a: "1" }), read(5, 6, { stage: "new" }, 7), read(8, 9, { stage: "new", a: "1" }, 8)],
    ],
    [
      "edits that only together explain what was read",
      [
        unknown(0, { a: "1" }),
        unknown(0, { b: "2" }),
        unknown(0, { a: "3" }),
        read(5, 6, { stage: "new", a: "1", b: "2" }, 9),
        read(7, 8, { stage: "new", a: "3", b: "2" }, 10),
      ],
    ],
    [
      "an If-Match that fits, and one that does not",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
        edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 6, { ifMatch: 5 }),
        refused(4, 5, { a: "3" }, 412, { ifMatch: 5 }),
      ],
    ],
    [
      "a key that is used again and gets the first answer",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5, { key: "k" }),
        edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 6),
        edit(4, 5, { a: "1" }, { stage: "new", a: "1" }, 5, { key: "k" }),
        refused(6, 7, { a: "9" }, 422, { key: "k" }),
        read(8, 9, { stage: "new", a: "2" }, 6),
      ],
    ],
    [
      "a lost answer that the key brings back after another edit",
      [
        unknown(0, { a: "1" }, { key: "k" }),
        edit(2, 3, { b: "2" }, { stage: "new", a: "1", b: "2" }, 9),
        edit(4, 5, { a: "1" }, { stage: "new", a: "1" }, 7, { key: "k" }),
      ],
    ],
    [
      "an edit answered with 202, which the store holds all the same",
      [edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5, {}, 202), read(2, 3, { stage: "new", a: "1" }, 5)],
    ],
    [
      "edits around a kill",
      [
        edit(0, 5, { a: "1" }, { stage: "new", a: "1" }, 5),
        kill(1, 4),
        refused(5, 6, { a: "2" }, 409),
        absent(6, 7),
        kill(8, 9, "absent"),
      ],
    ],
    ["a kill that nobody was told of", [kill(0, never, "unknown"), read(1, 2, { stage: "new" }, 5), absent(3, 4)]],
  ])("%s", (_, operations) => {
    expect(check(...operations)).toBe(true);
  });
});

describe("histories that must not happen are rejected:", () => {
  test.each<[string, SandboxOperation[]]>([
    [
      "a lost update: two edits at once, each answered, and one is gone",
      [
        edit(0, 3, { a: "1" }, { stage: "new", a: "1" }, 5),
        edit(1, 4, { b: "2" }, { stage: "new", b: "2" }, 6),
        read(5, 6, { stage: "new", b: "2" }, 6),
      ],
    ],
    [
      "a map that was computed from a stale read and written as a whole",
      [
        read(0, 1, { stage: "new" }, 5),
        edit(2, 3, { a: "1" }, { stage: "new", a: "1" }, 6),
        edit(4, 5, { b: "2" }, { stage: "new", b: "2" }, 7),
      ],
    ],
    [
      "an acknowledged edit that was overtaken by an older one",
      [
        edit(0, 1, { a: "old" }, { stage: "new", a: "old" }, 5),
        edit(2, 3, { a: "new" }, { stage: "new", a: "new" }, 6),
        read(4, 5, { stage: "new", a: "old" }, 7),
      ],
    ],
    [
      "a stale read after an acknowledged edit",
      [edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5), read(2, 3, { stage: "new" }, 4)],
    ],
    [
      "reads that go back",
      [
        edit(0, 9, { a: "1" }, { stage: "new", a: "1" }, 5),
        read(1, 2, { stage: "new", a: "1" }, 5),
        read(3, 4, { stage: "new" }, 4),
      ],
    ],
    [
      "store first and node second without an order: the answers cross, and the older one stays",
      [
        edit(0, 4, { a: "first" }, { stage: "new", a: "first" }, 5),
        edit(1, 3, { a: "second" }, { stage: "new", a: "second" }, 6),
        read(5, 6, { stage: "new", a: "first" }, 5),
      ],
    ],
    [
      "concurrent edits that race to the node, which then is what is read",
      [
        edit(0, 3, { a: "1", both: "x" }, { stage: "new", a: "1", both: "x" }, 5),
        edit(0, 3, { b: "2", both: "y" }, { stage: "new", a: "1", both: "y", b: "2" }, 6),
        read(4, 5, { stage: "new", a: "1", both: "x", b: "2" }, 6),
      ],
    ],
    [
      "a checkpoint that is restored over a newer edit",
      [
        edit(0, 1, { a: "before" }, { stage: "new", a: "before" }, 5),
        read(2, 3, { stage: "new", a: "before" }, 5),
        edit(4, 5, { a: "after" }, { stage: "new", a: "after" }, 6),
        read(6, 7, { stage: "new", a: "before" }, 5),
      ],
    ],
    [
      "an edit that takes effect twice because its command was sent twice",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
        edit(2, 3, { a: null }, { stage: "new" }, 6),
        read(4, 5, { stage: "new", a: "1" }, 7),
      ],
    ],
    [
      "one without an answer that takes effect twice",
      [
        unknown(0, { a: "1" }),
        read(2, 3, { stage: "new", a: "1" }, 5),
        edit(4, 5, { a: null }, { stage: "new" }, 6),
        read(6, 7, { stage: "new", a: "1" }, 7),
      ],
    ],
    [
      "a key that is used again and takes effect again",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5, { key: "k" }),
        edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 6),
        edit(4, 5, { a: "1" }, { stage: "new", a: "1" }, 7, { key: "k" }),
      ],
    ],
    [
      "a key that stands for two contents",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5, { key: "k" }),
        edit(4, 5, { a: "2" }, { stage: "new", a: "2" }, 7, { key: "k" }),
      ],
    ],
    ["a refusal of a key that is new", [refused(0, 1, { a: "1" }, 422, { key: "k" })]],
    [
      "a revision that stands for two maps",
      [edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5), edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 5)],
    ],
    [
      "a revision that falls",
      [edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5), edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 4)],
    ],
    [
      "an edit without effect that moves the revision",
      [read(0, 1, { stage: "new" }, 5), edit(2, 3, { stage: "new" }, { stage: "new" }, 6)],
    ],
    [
      "an effect that does not move the revision",
      [read(0, 1, { stage: "new" }, 5), edit(2, 3, { a: "1" }, { stage: "new", a: "1" }, 5)],
    ],
    [
      "a dirty read of an edit that was refused",
      [refused(0, 3, { a: "1" }, 400), read(1, 2, { stage: "new", a: "1" }, 5)],
    ],
    [
      "an edit whose If-Match did not fit",
      [
        edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
        edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 6),
        edit(4, 5, { a: "3" }, { stage: "new", a: "3" }, 7, { ifMatch: 5 }),
      ],
    ],
    [
      "two edits that both matched one revision",
      [
        read(0, 1, { stage: "new" }, 5),
        edit(2, 5, { a: "1" }, { stage: "new", a: "1" }, 6, { ifMatch: 5 }),
        edit(2, 5, { b: "1" }, { stage: "new", a: "1", b: "1" }, 7, { ifMatch: 5 }),
      ],
    ],
    [
      "a 412 for the revision that is there",
      [read(0, 1, { stage: "new" }, 5), refused(2, 3, { a: "1" }, 412, { ifMatch: 5 })],
    ],
    [
      "an edit answered with 202 that is gone",
      [edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5, {}, 202), read(2, 3, { stage: "new" }, 4)],
    ],
    ["a value that nobody wrote", [read(0, 1, { stage: "new", a: "1" }, 5)]],
    ["a removal that removes nothing", [edit(0, 1, { stage: "" }, { stage: "new" }, 5)]],
    ["an effect before its call", [read(0, 1, { stage: "new", a: "1" }, 5), unknown(2, { a: "1" })]],
    ["a sandbox that is gone although nobody killed it", [absent(0, 1)]],
    ["a sandbox that comes back", [kill(0, 1), read(2, 3, { stage: "new" }, 5)]],
    ["an edit after the kill", [kill(0, 1), edit(2, 3, { a: "1" }, { stage: "new", a: "1" }, 5)]],
  ])("%s", (_, operations) => {
    expect(check(...operations)).toBe(false);
  });

  test("after a restart of the store, an edit without effect may move the revision, and still not back", () => {
    const after = (revision: number) => [
      edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
      edit(2, 3, { a: "1" }, { stage: "new", a: "1" }, revision),
    ];
    const options = { effectlessMayRaise: true };
    expect(checkSandbox({ sandboxId: "i1", created, operations: after(6) }, options).linearizable).toBe(true);
    expect(checkSandbox({ sandboxId: "i1", created, operations: after(4) }, options).linearizable).toBe(false);
  });

  test("the report names the operation that fits nowhere", () => {
    const operations = [
      edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
      edit(2, 3, { a: "2" }, { stage: "new", a: "2" }, 6),
      read(4, 5, { stage: "new", a: "1" }, 5),
    ];
    const history = { sandboxId: "i1", created, operations };
    const text = describeFailure(history, checkSandbox(history));
    expect(text).toMatch(/^> #2 \[4\.00 – 5\.00\] GET/m);
    expect(text).toContain("at revision 6");
  });
});

describe("what a node says", () => {
  const confirmed = [
    edit(0, 1, { a: "1" }, { stage: "new", a: "1" }, 5),
    edit(4, 5, { a: "2" }, { stage: "new", a: "2" }, 6, {}, 202),
  ];

  function sighting(call: number, revision: number, map: Entries, other: Partial<NodeSighting> = {}): NodeSighting {
    const { text } = tags(map);
    return { call, return: call + 0.5, nodeId: "n1", executionId: "e1", revision, text, hashFits: true, ...other };
  }

  test("may be behind an edit that was answered with 202, and ahead of what anyone was told", () => {
    expect(
      checkNodeView(confirmed, [sighting(2, 5, { stage: "new", a: "1" }), sighting(7, 5, { stage: "new", a: "1" })]),
    ).toEqual([]);
    expect(checkNodeView(confirmed, [sighting(2, 9, { stage: "x" })])).toEqual([]);
  });

  test("must hold what was answered with 200", () => {
    expect(checkNodeView(confirmed, [sighting(2, 4, { stage: "new" })])).toEqual([
      expect.stringContaining("held revision 4"),
    ]);
    expect(checkNodeView(confirmed, [sighting(0.5, 4, { stage: "new" })])).toEqual([]);
  });

  test("must never go back", () => {
    const seen = [sighting(7, 6, { stage: "new", a: "2" }), sighting(8, 5, { stage: "new", a: "1" })];
    expect(checkNodeView(confirmed, seen)).toEqual([expect.stringContaining("went back from revision 6 to 5")]);
  });

  test("must be the map that its revision stands for, with its hash", () => {
    expect(checkNodeView(confirmed, [sighting(7, 6, { stage: "new" })])).toEqual([
      expect.stringContaining("Revision 6 is"),
    ]);
    expect(checkNodeView(confirmed, [sighting(7, 5, { stage: "new", a: "1" }, { hashFits: false })])).toEqual([
      expect.stringContaining("hash"),
    ]);
  });
});

describe("lost edits", () => {
  test("are those that nothing later explains", () => {
    const operations = [
      edit(0, 1, { a: "1", b: "1" }, {}, 5),
      edit(2, 4, { a: "2" }, {}, 6),
      edit(3, 5, { a: "3" }, {}, 7, {}, 202),
      unknown(6, { b: "2" }),
    ];
    expect(findLostEdits(operations, tags({ a: "3", b: "2" }))).toEqual([]);
    expect(findLostEdits(operations, tags({ a: "2", b: "1" }))).toEqual([]);
    expect(findLostEdits(operations, tags({ a: "1", b: "1" })).map(({ index }) => index)).toEqual([1, 2]);
    expect(findLostEdits(operations, tags({ a: "1", b: "1" }), (status) => status === 200)).toHaveLength(1);
    expect(findLostEdits(operations, tags({ a: "3" }))).toEqual([
      { index: 0, key: "b", expected: "1", found: undefined },
    ]);
  });

  test("are not those whose answer was only asked for again", () => {
    const operations = [
      edit(0, 1, { a: "1" }, {}, 5, { key: "k" }),
      edit(2, 3, { a: "2" }, {}, 6),
      edit(4, 5, { a: "1" }, {}, 5, { key: "k" }),
    ];
    expect(findLostEdits(operations, tags({ a: "2" }))).toEqual([]);
    expect(findLostEdits(operations, tags({ a: "0" }))).toHaveLength(3);
  });
});

describe("a history of 500 operations of 8 clients with 10 that were never answered", () => {
  test.each([1, 2, 3, 4, 5])("is judged in no time, and a single wrong answer in it is found (seed %i)", (seed) => {
    const operations = generate(seed, 500, 8, 10);
    const history = { sandboxId: "i1", created, operations };
    const began = performance.now();
    const verdict = checkSandbox(history);
    expect(verdict.linearizable, describeFailure(history, verdict)).toBe(true);
    expect(performance.now() - began).toBeLessThan(2_000);

    for (const place of [20, 250, 480]) {
      const spoiled = spoil(operations, place);
      const beganAgain = performance.now();
      expect(checkSandbox({ ...history, operations: spoiled }).linearizable).toBe(false);
      expect(performance.now() - beganAgain).toBeLessThan(5_000);
    }
  });
});

/** A history that happened: every operation takes effect at some moment between its call and its return. */
function generate(seed: number, count: number, clients: number, unanswered: number): SandboxOperation[] {
  const dice = diceFrom(seed);
  const planned = Array.from({ length: count }, (_, index) => {
    const call = Math.floor(index / clients) * 10 + dice.below(100) / 10;
    const duration = 1 + dice.below(150) / 10;
    return { index, call, end: call + duration, effect: call + (duration * dice.below(100)) / 100 };
  });
  const lost = new Set(Array.from({ length: unanswered }, () => dice.below(count)));
  let map: Record<string, string> = { stage: "new" };
  let revision = 100;
  const operations: SandboxOperation[] = [];
  for (const { index, call, end, effect } of planned.sort((a, b) => a.effect - b.effect)) {
    const key = `k${dice.below(6)}`;
    const delta: Delta = { [key]: dice.oneIn(6) ? null : `v${index}` };
    if (!lost.has(index) && dice.oneIn(4)) {
      operations.push(read(call, end, map, revision));
      continue;
    }
    // What is given up may have happened, even much later, or not.
    if (lost.has(index) && dice.oneIn(2)) {
      operations.push(unknown(call - dice.below(500), delta));
      continue;
    }
    const next = Object.fromEntries(Object.entries({ ...map, ...delta }).filter(([, value]) => value !== null));
    const changed = tags(map).text !== tagsOf(Object.entries(next).map(([name, value]) => [name, String(value)])).text;
    map = Object.fromEntries(Object.entries(next).map(([name, value]) => [name, String(value)]));
    if (changed) revision = Math.max(revision + 1, Math.floor(effect * 1000));
    operations.push(lost.has(index) ? unknown(call, delta) : edit(call, end, delta, map, revision));
  }
  return operations;
}

/** The same with one answer that shows what was there before it. */
function spoil(operations: readonly SandboxOperation[], place: number): SandboxOperation[] {
  const changed = [...operations];
  for (let index = place; index < changed.length; index += 1) {
    const found = changed[index];
    if (found?.what.kind !== "edit" || found.what.outcome.kind !== "committed") continue;
    const { outcome } = found.what;
    const entries = new Map(outcome.tags.entries).set("k0", "nobody wrote this");
    changed[index] = { ...found, what: { ...found.what, outcome: { ...outcome, tags: tagsOf(entries) } } };
    return changed;
  }
  throw new Error("no edit to spoil");
}
