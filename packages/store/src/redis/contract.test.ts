import { afterAll, beforeAll, describe } from "vitest";
import { pushGraceMs, quietLogger, type Subject } from "../contract/fixture.ts";
import { describeSandboxStore } from "../contract/index.ts";
import type { SandboxStore } from "../store.ts";
import { type RedisServer, startRedisServer } from "../testing/redis-server.ts";
import { openRedisStore } from "./redis-store.ts";

// In a cluster a script that leaves its slot fails: the second run proves that none does.
describe.each([{ cluster: false }, { cluster: true }])("a Redis store, cluster: $cluster", ({ cluster }) => {
  let server: RedisServer;
  let store: SandboxStore;
  beforeAll(async () => {
    server = await startRedisServer({ cluster });
    store = await openRedisStore(server.url, { logger: quietLogger, pushGraceMs });
  });
  afterAll(async () => {
    await store?.close();
    await server?.stop();
  });
  const subject: Subject = {
    get store() {
      return store;
    },
  };
  describeSandboxStore(subject);
});
