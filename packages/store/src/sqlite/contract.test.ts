import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { pushGraceMs, quietLogger, type Subject } from "../contract/fixture.ts";
import { describeSandboxStore } from "../contract/index.ts";
import type { SandboxStore } from "../store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

describe("a SQLite store", () => {
  let directory: string;
  let store: SandboxStore;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-sqlite-"));
    store = await openSqliteStore(join(directory, "store.db"), {
      logger: quietLogger,
      pushGraceMs,
      synchronous: "normal",
    });
  });
  afterAll(async () => {
    await store?.close();
    await rm(directory, { recursive: true, force: true });
  });
  const subject: Subject = {
    get store() {
      return store;
    },
  };
  describeSandboxStore(subject);
});
