import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLimits } from "./limits-file.ts";

describe("the limits file", () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), "castellan-limits-")), "limits.json");
  });
  afterEach(() => rm(join(path, ".."), { recursive: true }));

  const read = async (content: unknown) => {
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return await readLimits(path, false);
  };

  it("may be missing where nobody named it, and then everything has its default", async () => {
    expect(await readLimits(path, true)).toEqual({
      teams: [{ teamId: "default", limits: { requestsPerSecond: 1_000 }, apiKeys: {} }],
      templates: {},
    });
    await expect(readLimits(path, false)).rejects.toThrow("cannot be read");
  });

  it("says what it says", async () => {
    const hash = "a".repeat(64);
    const limits = await read({
      maxTimeoutSeconds: 600,
      teams: {
        default: { requestsPerSecond: null },
        ci: { maxConcurrentSandboxes: 5, maxDiskMb: 9, apiKeys: { k: hash } },
      },
      templates: { base: { memoryMb: 512, defaultTimeoutSeconds: 30 } },
    });
    expect(limits).toEqual({
      maxTimeoutSeconds: 600,
      teams: [
        { teamId: "default", limits: {}, apiKeys: {} },
        {
          teamId: "ci",
          maxConcurrentSandboxes: 5,
          limits: { maxDiskMb: 9, requestsPerSecond: 1_000 },
          apiKeys: { k: hash },
        },
      ],
      templates: { base: { memoryMb: 512, defaultTimeoutSeconds: 30 } },
    });
  });

  it.each([
    ["is not JSON", "{", "is not JSON"],
    ["misspells a limit", { teams: { default: { maxMemory: 1 } } }, "maxMemory"],
    ["gives a limit that makes no sense", { teams: { default: { maxMemoryMb: 0 } } }, "teams.default.maxMemoryMb"],
    ["gives a key itself", { teams: { a: { apiKeys: { k: "e2b_00" } } } }, "must be a SHA-256 in hex"],
    ["names a team that cannot be", { teams: { "a b": {} } }, "teams"],
    ["is a list", [], "the file"],
  ])("is refused when it %s", async (_, content, reason) => {
    await expect(read(content)).rejects.toThrow(reason);
  });
});
