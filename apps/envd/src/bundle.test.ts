import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { buildBundle } from "./bundle.ts";
import { run } from "./testing/run.ts";
import { startTestDaemon } from "./testing/test-daemon.ts";

it("the daemon runs from its bundle, with nothing but the native module beside it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "envd-bundle-"));
  try {
    const entry = join(directory, "envd.mjs");
    await buildBundle(entry);
    expect(statSync(entry).size).toBeLessThan(500_000);
    const daemon = await startTestDaemon({ entry });
    try {
      expect((await run(daemon.process, "echo bundled")).stdout).toBe("bundled\n");
      const body = new FormData();
      body.append("file", new Blob(["content"]), "a.txt");
      expect(
        (await fetch(`${daemon.url}/files`, { method: "POST", body, headers: { "x-metadata-kind": "test" } })).status,
      ).toBe(200);
      expect(await (await fetch(`${daemon.url}/files?path=a.txt`)).text()).toBe("content");
      // Through the native module.
      expect((await daemon.filesystem.stat({ path: "a.txt" })).entry?.metadata).toEqual({ kind: "test" });
    } finally {
      await daemon.stop();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
