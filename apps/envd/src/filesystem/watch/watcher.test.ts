import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EventType } from "@castellan/contracts/filesystem";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Inotify, type Listener } from "./inotify.ts";
import { Watcher, type WatchLimits } from "./watcher.ts";
import { isNetworkFilesystem } from "./watchers.ts";

let directory: string;
let inotify: Inotify;
const open: Watcher[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "envd-watch-"));
  inotify = new Inotify();
});
afterEach(() => {
  for (const watcher of open.splice(0)) watcher.close();
  rmSync(directory, { recursive: true });
});

function watcher(limits: Partial<WatchLimits>): Watcher {
  const opened = new Watcher(inotify, directory, true, { directories: 100, pending: 100_000, ...limits });
  open.push(opened);
  return opened;
}

async function failure(work: () => unknown): Promise<Code | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof ConnectError) return error.code;
    throw error;
  }
}

/** As if a command had been at work between the watch of a new directory and the look at what is in it. */
class Raced extends Inotify {
  override add(path: string, follow: boolean, listener: Listener): number {
    const watch = super.add(path, follow, listener);
    if (path.endsWith("/new")) writeFileSync(join(path, "raced"), "");
    return watch;
  }
}

describe("a watcher", () => {
  it("tells once of what is there when a new directory is looked at, although the kernel tells of it too", async () => {
    inotify = new Raced();
    const watching = watcher({});
    const names = async (type: EventType) =>
      ((await watching.take()) ?? []).filter((change) => change.type === type).map(({ name }) => name);
    mkdirSync(join(directory, "new"));
    await sleep(100);
    expect(await names(EventType.CREATE)).toEqual(["new", "new/raced"]);
    for (let round = 0; round < 2; round++) {
      rmSync(join(directory, "new/raced"));
      writeFileSync(join(directory, "new/raced"), "");
      await sleep(50);
      expect(await names(EventType.CREATE)).toEqual(["new/raced"]);
    }
  });

  it("refuses a tree with more directories than may be watched, and holds none of them", async () => {
    for (let index = 0; index < 10; index++) mkdirSync(join(directory, String(index)));
    expect(await failure(() => watcher({ directories: 10 }))).toBe(Code.FailedPrecondition);
    expect(inotify.size).toBe(0);
    watcher({ directories: 11 });
    expect(inotify.size).toBe(11);
  });

  it("fails when the tree grows beyond that, and lets go", async () => {
    const watching = watcher({ directories: 3 });
    for (let index = 0; index < 3; index++) mkdirSync(join(directory, String(index)));
    await sleep(100);
    expect(await failure(() => watching.take())).toBe(Code.FailedPrecondition);
    expect(await failure(() => watching.take())).toBe(Code.FailedPrecondition);
    expect(inotify.size).toBe(0);
  });

  it("fails when nobody takes what it has to tell", async () => {
    const watching = watcher({ pending: 10 });
    for (let index = 0; index < 10; index++) mkdirSync(join(directory, String(index)));
    await sleep(100);
    expect(await watching.take()).toHaveLength(10);
    for (let index = 10; index < 21; index++) mkdirSync(join(directory, String(index)));
    await sleep(100);
    expect(await failure(() => watching.take())).toBe(Code.FailedPrecondition);
    expect(inotify.size).toBe(0);
  });

  it("fails when the system had to drop events, rather than be silent about it", async () => {
    const watching = watcher({});
    for (const name of ["a", "b"]) writeFileSync(join(directory, name), "");
    // The queue holds 16,384 by default, and nobody reads it meanwhile. Two in turn, as equal ones are put together.
    for (let index = 0; index < 80_000; index++) utimesSync(join(directory, index % 2 ? "a" : "b"), index, index);
    await expect.poll(() => failure(() => watching.take()), { timeout: 10_000 }).toBe(Code.DataLoss);
    expect(inotify.size).toBe(0);
  });

  it("wakes who waits when it is closed", async () => {
    const watching = watcher({});
    const taken = watching.take(60_000);
    watching.close();
    expect(await taken).toBeUndefined();
  });
});

it("mounts from elsewhere are known by their type", () => {
  expect([0x6969, 0xff534d42, 0x65735546].every(isNetworkFilesystem)).toBe(true);
  expect([0xef53, 0x01021994, 0x794c7630].some(isNetworkFilesystem)).toBe(false);
});
