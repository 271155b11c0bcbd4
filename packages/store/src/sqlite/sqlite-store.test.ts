import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  edit,
  idsOf,
  keyOf,
  manifest,
  newTeam,
  quietLogger,
  refuses,
  runOne,
  stored,
  tags,
  verifyOne,
} from "../contract/fixture.ts";
import { openStore } from "../open.ts";
import type { SandboxStore } from "../store.ts";

/** A process that opens the store and edits a sandbox without end. */
const writer = fileURLToPath(new URL("../contract/sqlite-writer.ts", import.meta.url));

let directory: string;
let path: string;
const open: SandboxStore[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "castellan-sqlite-"));
  path = join(directory, "deep", "store.db");
});
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function openHere(url = path): Promise<SandboxStore> {
  const store = await openStore(url, { logger: quietLogger });
  open.push(store);
  return store;
}

describe("the file of a SQLite store", () => {
  it("is made with its directory, for its owner's eyes only, and is one file again after close", async () => {
    const store = await openHere(`sqlite:${path}`);
    await newTeam(store);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(`${path}-wal`)).mode & 0o777).toBe(0o600);
    await store.close();
    await expect(access(`${path}-wal`)).rejects.toThrow();
    await chmod(path, 0o644);
    await openHere();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("is refused to a second process, and to a second store of this one, until it is closed", async () => {
    const store = await openHere();
    await refuses(openStore(path, { logger: quietLogger }), "unavailable", /is open in another process/);
    const args = ["--conditions=source", "--disable-warning=ExperimentalWarning", writer, path];
    await expect(promisify(execFile)(process.execPath, args)).rejects.toThrow(/is open in another process/);
    await store.close();
    expect(await (await openHere()).epoch()).toBeGreaterThan(0);
  });

  it("is refused when it is something else, or of a newer version", async () => {
    await refuses(openHere(directory), "internal", /cannot be opened/);
    const other = join(directory, "text");
    await writeFile(other, "no database, but long enough to be looked at as one ".repeat(100));
    await refuses(openHere(other), "internal");
    await (await openHere()).close();
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 1000");
    db.close();
    await refuses(openHere(), "internal", /newer version/);
  });

  it("is named by a path or sqlite:, and by no other scheme", async () => {
    await refuses(openStore("postgres://x", { logger: quietLogger }), "invalid_argument");
    await refuses(openStore("", { logger: quietLogger }), "invalid_argument");
    await refuses(openStore("sqlite:", { logger: quietLogger }), "invalid_argument");
  });

  it("says what an acknowledged write survives", async () => {
    expect((await openHere()).describe()).toEqual({
      kind: "sqlite",
      durability: expect.stringMatching(/synchronous=full.*power loss/),
    });
  });
});

describe("a SQLite store opened again", () => {
  it("has everything, in a new epoch above all that was known", async () => {
    const first = await openHere();
    const teamId = await newTeam(first);
    const record = await runOne(first, teamId, { metadata: new Map([["__proto__", "\0"]]) });
    const ahead = (await first.now()) + 3_600_000_000;
    const found = await manifest(first, teamId, { metadata: { value: new Map(), revision: ahead } });
    await first.adopt(found);
    await first.close();

    const second = await openHere();
    const begun = await second.epoch();
    expect(begun).toBeGreaterThan(ahead);
    // As if the clock had been set back before the next start.
    const raised = await second.raiseEpoch(begun + 3_600_000_000);
    await second.close();

    const third = await openHere();
    const epoch = await third.epoch();
    expect(epoch).toBeGreaterThan(raised);
    expect(await stored(third, record)).toEqual(record);
    await refuses(edit(third, record, { a: "1" }, { epoch: raised }), "unavailable");
    await refuses(edit(third, record, { a: "1" }), "unavailable", /waits for the nodes/);
    await verifyOne(third, record);
    const { record: edited } = await edit(third, record, { a: "1" });
    expect(edited.metadata.revision).toBeGreaterThanOrEqual(epoch);
    expect(edited.epoch).toBe(epoch);
  });

  it("reads and upgrades what an older version wrote, and tolerates what a newer one added", async () => {
    const first = await openHere();
    const teamId = await newTeam(first);
    const [old, newer] = [await runOne(first, teamId), await runOne(first, teamId)];
    await first.close();
    const db = new DatabaseSync(path);
    const { sandboxId, apiKeyId, templateId, resources, envdVersion } = old;
    const identity = { sandboxId, teamId, apiKeyId, templateId, resources, envdVersion };
    const update = db.prepare("UPDATE sandboxes SET identity = ? WHERE sandbox_id = ?");
    update.run(JSON.stringify(identity), sandboxId);
    const known = db.prepare("SELECT identity FROM sandboxes WHERE sandbox_id = ?").get(newer.sandboxId);
    update.run(`${String(known?.["identity"]).slice(0, -1)},"colour":"blue"}`, newer.sandboxId);
    db.close();

    const second = await openHere();
    expect(await stored(second, old)).toEqual(old);
    expect(await stored(second, newer)).toEqual(newer);
  });

  it("knows the access tokens of sandboxes that an older version wrote", async () => {
    const first = await openHere();
    const teamId = await newTeam(first);
    const { sandboxId } = await runOne(first, teamId, { envdAccessToken: "secret" });
    await runOne(first, teamId);
    await first.close();
    const db = new DatabaseSync(path);
    const columns = ["fully_verified", "own_edits"].map((name) => `ALTER TABLE sandboxes DROP COLUMN ${name};`);
    const tables = ["access_tokens", "events", "metadata_history", "idempotency", "webhooks", "dead_letters"].map(
      (name) => `DROP TABLE ${name};`,
    );
    db.exec(`${tables.join(" ")} ${columns.join(" ")} PRAGMA user_version = 1`);
    db.close();
    expect((await (await openHere()).listAccessTokens(0, 10)).tokens).toEqual([{ sandboxId, token: "secret" }]);
  });

  it("has every edit that was acknowledged before its process was killed", async () => {
    const store = await openHere();
    const teamId = await newTeam(store);
    const record = await runOne(store, teamId);
    await store.close();
    const args = [
      "--conditions=source",
      "--disable-warning=ExperimentalWarning",
      writer,
      path,
      teamId,
      record.sandboxId,
      record.executionId,
    ];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      if (printed.length > 2000) child.kill("SIGKILL");
    });
    await once(child, "close");
    const acknowledged = printed.split("\n").slice(0, -1);
    expect(acknowledged.length).toBeGreaterThan(100);

    const { metadata } = await stored(await openHere(), record);
    const last = new Map<string, number>();
    for (const [key = "", n = ""] of acknowledged.map((line) => line.split(" "))) last.set(key, Number(n));
    for (const [key, n] of last) expect(Number(metadata.value.get(key))).toBeGreaterThanOrEqual(n);
  });
});

describe("changes of one turn", () => {
  it("share one transaction: all are decided before the first is answered, and a refused one undoes no other", async () => {
    const store = await openHere();
    const teamId = await newTeam(store);
    const records = await Promise.all(Array.from({ length: 5 }, () => runOne(store, teamId)));
    const [first] = records;
    if (first === undefined) throw new Error("unreachable");
    const results = await Promise.allSettled([
      ...records.map((record) => edit(store, record, { a: "1" })),
      edit(store, first, { b: "1" }, { ifMatch: 1 }),
      store.create(
        {
          ...(await manifest(store, teamId)),
          lifetimeMs: 1,
          deadlineMs: 1,
          metadata: new Map(),
          egress: first.egress.value,
        },
        0,
      ),
      ...records.map((record) => edit(store, record, { c: "1" })),
    ]);
    const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
    expect(refused).toEqual(["precondition_failed", "quota_exceeded"]);
    for (const record of records) {
      expect((await stored(store, record)).metadata.value).toEqual(tags({ a: "1", c: "1" }));
    }
  });

  it("are rejected when the store is closed under them, and nothing hangs", async () => {
    const store = await openHere();
    const record = await runOne(store, await newTeam(store));
    const pending = store.remove(keyOf(record));
    await Promise.all([refuses(pending, "unavailable"), store.close()]);
    await store.close();
    await refuses(store.get(record.teamId, record.sandboxId), "unavailable");
    await refuses(store.remove(keyOf(record)), "unavailable");
    expect(idsOf([await stored(await openHere(), record)])).toEqual([record.sandboxId]);
  });
});

describe("a listing in SQLite", () => {
  it("lets others have their turn while it looks for tags that never meet", async () => {
    const store = await openHere();
    const teamId = await newTeam(store);
    const count = 6000;
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const value = i % 2 === 0 ? tags({ even: "1" }) : tags({ odd: "1" });
        await store.adopt(
          await manifest(store, teamId, { startedAt: 1_000_000 + i, metadata: { value, revision: 1 } }),
        );
      }),
    );
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    }, 0);
    const immediate = () => {
      turns += 1;
      if (listing) setImmediate(immediate);
    };
    let listing = true;
    setImmediate(immediate);
    const filter = tags({ even: "1", odd: "1" });
    const page = await store.list(teamId, { states: ["running", "paused"], filter, order: "desc", limit: 100 });
    listing = false;
    clearInterval(counting);
    expect(page).toEqual({ sandboxes: [] });
    expect(turns).toBeGreaterThan(0);
    expect(await store.countRunning(teamId, filter)).toBe(0);
  });
});
