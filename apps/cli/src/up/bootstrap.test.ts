import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@castellan/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bootstrapStore, keepSecrets } from "./bootstrap.ts";
import { readLimits } from "./limits-file.ts";

describe("the first start", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-bootstrap-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const files = () => ({
    apiKeyFile: join(directory, "api-key"),
    clusterTokenFile: join(directory, "cluster-token"),
  });
  const nothingSaid = { teams: [{ teamId: "default", limits: {}, apiKeys: {} }] };
  const hash = (key: string) => createHash("sha256").update(key).digest("hex");
  const collect = () => {
    const lines: string[] = [];
    const log = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
    return { lines, logger: { debug: log, info: log, warn: log, error: log } };
  };

  it("gives the team a key that the store knows by its hash alone, and that no log line holds", async () => {
    const { lines, logger } = collect();
    const { apiKey, clusterToken } = await keepSecrets(files());
    const store = await openStore(`sqlite:${join(directory, "store.db")}`, { logger });
    await bootstrapStore(store, apiKey, nothingSaid, 7);
    const found = await store.findApiKey(hash(apiKey));
    expect(found).toMatchObject({ team: { teamId: "default", maxConcurrentSandboxes: 7 }, key: { teamId: "default" } });
    await store.close();
    const databaseFiles = (await readdir(directory)).filter((name) => name.startsWith("store.db"));
    const stored = await Promise.all(databaseFiles.map((name) => readFile(join(directory, name), "latin1")));
    for (const text of [...stored, ...lines]) {
      expect(text).not.toContain(apiKey);
      expect(text).not.toContain(apiKey.slice(4));
      expect(text).not.toContain(clusterToken);
    }
    expect(found?.key.apiKeyId).not.toContain(apiKey.slice(4, 12));
  });

  it("gives every team of the limits file its limits and its keys", async () => {
    const { logger } = collect();
    const { apiKey } = await keepSecrets(files());
    const path = join(directory, "limits.json");
    const text = {
      teams: {
        default: { maxConcurrentSandboxes: 3, maxMemoryMb: 512 },
        other: { requestsPerSecond: null, apiKeys: { ci: hash("e2b_00") } },
      },
    };
    await writeFile(path, JSON.stringify(text));
    const store = await openStore(`sqlite:${join(directory, "store.db")}`, { logger });
    await bootstrapStore(store, apiKey, await readLimits(path, false));
    expect(await store.findApiKey(hash(apiKey))).toMatchObject({
      team: { maxConcurrentSandboxes: 3, limits: { maxMemoryMb: 512, requestsPerSecond: 1_000 } },
    });
    expect(await store.findApiKey(hash("e2b_00"))).toMatchObject({
      key: { name: "ci", teamId: "other" },
      team: { maxConcurrentSandboxes: 100, limits: {} },
    });
    await bootstrapStore(store, apiKey, await readLimits(path, false), 9);
    expect((await store.findApiKey(hash(apiKey)))?.team.maxConcurrentSandboxes).toBe(9);
    await store.close();
  });

  it("is repeated harmlessly, and brings the key back to a store that was emptied", async () => {
    const { logger } = collect();
    const first = await keepSecrets(files());
    for (const name of ["one.db", "one.db", "emptied.db"]) {
      const secrets = await keepSecrets(files());
      expect(secrets).toEqual(first);
      const store = await openStore(`sqlite:${join(directory, name)}`, { logger });
      await bootstrapStore(store, secrets.apiKey, nothingSaid, 7);
      expect(await store.findApiKey(hash(first.apiKey))).toBeDefined();
      await store.close();
    }
  });
});
