import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { editIdempotency } from "@castellan/domain";
import { expect, it } from "vitest";
import { createClock } from "../clock.ts";
import { edit, newTeam, quietLogger, runOne, tags } from "../contract/fixture.ts";
import { Database } from "./database.ts";
import { SqliteStore } from "./sqlite-store.ts";

it("an idempotency key is free again a day after its edit, and old ones go as new ones come", async () => {
  const directory = await mkdtemp(join(tmpdir(), "castellan-keys-"));
  const clock = createClock();
  let ahead = 0;
  const db = new Database(join(directory, "store.db"), "normal", () => clock() + ahead);
  const store = new SqliteStore(db, "normal", { logger: quietLogger });
  const keyed = (key: string, delta: ReadonlyMap<string, string>) => ({
    idempotency: editIdempotency(key, delta, undefined),
  });
  const count = () => db.get("SELECT count(*) AS count FROM idempotency")?.["count"];
  try {
    const record = await runOne(store, await newTeam(store));
    const delta = tags({ a: "1" });
    for (const key of ["k", "l", "m", "n"]) await edit(store, record, delta, keyed(key, delta));
    await edit(store, record, { a: "2" });
    ahead = 86_340_000_000;
    expect((await edit(store, record, delta, keyed("k", delta))).replayed).toBe(true);
    ahead = 86_401_000_000;
    expect(await edit(store, record, delta, keyed("k", delta))).toMatchObject({ changed: true, replayed: false });
    await edit(store, record, delta, keyed("x", delta));
    expect(count()).toBe(2);
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
});
