import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Watchers } from "./watchers.ts";

let path: string;
let now = 0;
let watchers: Watchers;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "castellan-watchers-"));
  now = 0;
  watchers = new Watchers(() => now);
});
afterEach(() => {
  watchers.closeAll();
  rmSync(path, { recursive: true });
});

const open = () => watchers.open({ path, recursive: false, includeEntry: false, allowNetworkMounts: false });

it("watchers that nobody has asked since an hour make room at the limit, and no others", async () => {
  const streamed = await open();
  const ids: string[] = [];
  while (ids.length < 255) ids.push(watchers.keep(await open()));
  const [first, second] = ids;
  now += 3_500_000;
  watchers.get(first ?? "");
  await expect(open()).rejects.toThrow("256 watchers");

  now += 200_000;
  watchers.keep(await open());
  expect(watchers.get(first ?? "").watcher.root).toBe(path);
  expect(() => watchers.get(second ?? "")).toThrow("not found");
  expect(await streamed.watcher.take()).toEqual([]);
});
