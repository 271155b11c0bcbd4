import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refuses } from "../contract/fixture.ts";
import { GroupCommit } from "./group-commit.ts";

let db: DatabaseSync;
let commits: GroupCommit;
beforeEach(() => {
  db = new DatabaseSync(":memory:");
  db.exec("PRAGMA foreign_keys = ON; CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  db.exec("CREATE TABLE two (one INTEGER REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)");
  commits = new GroupCommit(db);
});
afterEach(() => {
  commits.close();
  db.close();
});

function insert(id: number, text: string | null = "x"): number {
  db.prepare("INSERT INTO one (id, text) VALUES (?, ?)").run(id, text);
  return id;
}

function ids(): unknown[] {
  return db
    .prepare("SELECT id FROM one ORDER BY id")
    .all()
    .map((row) => row["id"]);
}

describe("group commit", () => {
  it("answers after COMMIT, when all changes of the turn have run", async () => {
    const events: string[] = [];
    const change = (id: number) =>
      commits
        .run(() => {
          events.push(`run ${id}`);
          expect(db.isTransaction).toBe(true);
          return insert(id);
        })
        .then((result) => {
          expect(db.isTransaction).toBe(false);
          events.push(`answer ${result}`);
        });
    await Promise.all([change(1), change(2)]);
    expect(events).toEqual(["run 1", "run 2", "answer 1", "answer 2"]);
    expect(ids()).toEqual([1, 2]);
  });

  it("undoes only the change that failed, whole", async () => {
    const half = commits.run(() => {
      insert(2);
      insert(3, null);
    });
    const results = await Promise.allSettled([commits.run(() => insert(1)), half, commits.run(() => insert(4))]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "internal" } });
    expect(ids()).toEqual([1, 4]);
  });

  it("acknowledges nothing when COMMIT fails, and goes on with the next turn", async () => {
    const orphan = commits.run(() => db.exec("INSERT INTO two (one) VALUES (99)"));
    const results = await Promise.allSettled([commits.run(() => insert(1)), orphan, commits.run(() => insert(2))]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(ids()).toEqual([]);
    expect(await commits.run(() => insert(3))).toBe(3);
    expect(ids()).toEqual([3]);
  });

  it("acknowledges only what is stored when the disk is full", async () => {
    const { page_count: pages } = db.prepare("PRAGMA page_count").get() ?? {};
    db.exec(`PRAGMA max_page_count = ${Number(pages) + 4}`);
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, id) => commits.run(() => insert(id, "x".repeat(2000)))),
    );
    const acknowledged = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(acknowledged.length).toBeLessThan(20);
    expect(ids()).toEqual(acknowledged);
  });

  it("takes more changes than fit into one transaction", async () => {
    const all = Array.from({ length: 1200 }, (_, id) => id);
    expect(await Promise.all(all.map((id) => commits.run(() => insert(id))))).toEqual(all);
    expect(ids()).toEqual(all);
  });

  it("rejects what is waiting when it is closed, and everything after", async () => {
    const waiting = commits.run(() => insert(1));
    commits.close();
    await refuses(waiting, "unavailable");
    await refuses(
      commits.run(() => insert(2)),
      "unavailable",
    );
    expect(ids()).toEqual([]);
  });
});
