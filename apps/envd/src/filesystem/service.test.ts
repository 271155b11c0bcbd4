import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { FileType } from "@castellan/contracts/filesystem";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { as, isRoot, startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

let daemon: TestDaemon;
let count = 0;
/** A fresh directory for each test, relative to the home and absolute. */
let name: string;
let directory: string;

beforeAll(async () => {
  daemon = await startTestDaemon();
});

afterAll(() => daemon?.stop());

beforeEach(() => {
  name = `test-${++count}`;
  directory = join(daemon.home, name);
  mkdirSync(directory);
});

async function code(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return "ok";
  if (!(error instanceof ConnectError)) throw error;
  return Code[error.code] ?? "";
}

describe("looking at a path", () => {
  it("describes a file", async () => {
    writeFileSync(join(directory, "file.txt"), "test");
    utimesSync(join(directory, "file.txt"), 1_700_000_000, 1_700_000_000.5);
    const { entry } = await daemon.filesystem.stat({ path: `${name}/file.txt` });
    expect(entry).toMatchObject({
      name: "file.txt",
      type: FileType.FILE,
      path: join(directory, "file.txt"),
      size: 4n,
      mode: 0o644,
      permissions: "-rw-r--r--",
      owner: isRoot ? "root" : "user",
      modifiedTime: { seconds: 1_700_000_000n, nanos: 500_000_000 },
    });
    expect(entry?.symlinkTarget).toBeUndefined();
  });

  it("describes files with odd times as near as a timestamp comes", async () => {
    execFileSync("touch", ["-d", "@-1.5", join(directory, "old")]);
    execFileSync("touch", ["-d", "@999999999999", join(directory, "future")]);
    const { entries } = await daemon.filesystem.listDir({ path: name });
    const seconds = Object.fromEntries(entries.map((entry) => [entry.name, entry.modifiedTime?.seconds]));
    // The disk may know no such time either.
    expect(seconds["future"]).toBeLessThanOrEqual(253_402_300_799n);
    expect(seconds["old"]).toBe(-2n);
  });

  it("describes a directory, with all its mode bits", async () => {
    chmodSync(directory, 0o1777);
    const { entry } = await daemon.filesystem.stat({ path: directory });
    expect(entry).toMatchObject({ type: FileType.DIRECTORY, mode: 0o1777, permissions: "dtrwxrwxrwx", name });
  });

  it("describes a link by its own size and permissions and its target's type and mode", async () => {
    writeFileSync(join(directory, "file"), "x", { mode: 0o600 });
    symlinkSync("file", join(directory, "link"));
    const { entry } = await daemon.filesystem.stat({ path: `${name}/link` });
    expect(entry).toMatchObject({
      name: "link",
      path: join(directory, "link"),
      type: FileType.FILE,
      mode: 0o600,
      size: 4n,
      permissions: "Lrwxrwxrwx",
      symlinkTarget: join(directory, "file"),
    });
  });

  it("describes a broken link, with where it leads", async () => {
    symlinkSync("nowhere", join(directory, "link"));
    const { entry } = await daemon.filesystem.stat({ path: `${name}/link` });
    expect(entry).toMatchObject({ type: FileType.UNSPECIFIED, mode: 0, symlinkTarget: join(directory, "nowhere") });
  });

  it("that is not there is not_found, also below a file", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await code(daemon.filesystem.stat({ path: `${name}/none` }))).toBe("NotFound");
    expect(await code(daemon.filesystem.stat({ path: `${name}/file/none` }))).toBe("NotFound");
  });

  it("that cannot be one is invalid_argument", async () => {
    expect(await code(daemon.filesystem.stat({ path: "~root/x" }))).toBe("InvalidArgument");
    expect(await code(daemon.filesystem.stat({ path: "a\0b" }))).toBe("InvalidArgument");
    expect(await code(daemon.filesystem.stat({ path: "x".repeat(300) }))).toBe("InvalidArgument");
  });

  it("for a user that does not exist is unauthenticated", async () => {
    expect(await code(daemon.filesystem.stat({ path: "/" }, { headers: as("stranger") }))).toBe("Unauthenticated");
  });
});

describe("listing a directory", () => {
  beforeEach(() => {
    for (const path of ["b/b2", "b/b1", "a", "c"]) mkdirSync(join(directory, path), { recursive: true });
    writeFileSync(join(directory, "a.txt"), "");
    symlinkSync("b", join(directory, "link"));
  });

  const names = async (depth?: number) => {
    const { entries } = await daemon.filesystem.listDir({ path: name, ...(depth !== undefined && { depth }) });
    return entries.map(({ path }) => path.slice(directory.length + 1));
  };

  it("gives one level, sorted by name, unless more are asked for", async () => {
    expect(await names()).toEqual(["a", "a.txt", "b", "c", "link"]);
    expect(await names(1)).toEqual(["a", "a.txt", "b", "c", "link"]);
  });

  it("gives each directory before what is in it, and does not follow links", async () => {
    expect(await names(2)).toEqual(["a", "a.txt", "b", "b/b1", "b/b2", "c", "link"]);
    expect(await names(4_294_967_295)).toEqual(["a", "a.txt", "b", "b/b1", "b/b2", "c", "link"]);
  });

  it("through a link gives paths below the link", async () => {
    const { entries } = await daemon.filesystem.listDir({ path: `${name}/link` });
    expect(entries.map(({ path }) => path)).toEqual([join(directory, "link/b1"), join(directory, "link/b2")]);
  });

  it("gives absolute paths below the root", async () => {
    const { entries } = await daemon.filesystem.listDir({ path: "/" });
    expect(entries.map(({ path }) => path)).toContain("/etc");
  });

  it("of two thousand files gives them all", async () => {
    for (let index = 0; index < 2_000; index++) writeFileSync(join(directory, "c", String(index).padStart(4, "0")), "");
    const { entries } = await daemon.filesystem.listDir({ path: `${name}/c` });
    expect(entries).toHaveLength(2_000);
    expect(entries.at(-1)?.name).toBe("1999");
  });

  it("that is missing, a file or a loop says so", async () => {
    symlinkSync("loop", join(directory, "loop"));
    expect(await code(daemon.filesystem.listDir({ path: `${name}/none` }))).toBe("NotFound");
    expect(await code(daemon.filesystem.listDir({ path: `${name}/a.txt` }))).toBe("InvalidArgument");
    expect(await code(daemon.filesystem.listDir({ path: `${name}/loop` }))).toBe("FailedPrecondition");
  });
});

describe("making a directory", () => {
  it("makes those above it too, all owned by the user", async () => {
    const { entry } = await daemon.filesystem.makeDir({ path: `${name}/one/two` });
    expect(entry).toMatchObject({ name: "two", type: FileType.DIRECTORY, mode: 0o755, owner: "user" });
    for (const path of ["one", "one/two"])
      expect(statSync(join(directory, path))).toMatchObject({ uid: daemon.uid, gid: daemon.gid });
  });

  it("that exists is already_exists, on a file invalid_argument", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await code(daemon.filesystem.makeDir({ path: name }))).toBe("AlreadyExists");
    expect(await code(daemon.filesystem.makeDir({ path: `${name}/file` }))).toBe("InvalidArgument");
    expect(await code(daemon.filesystem.makeDir({ path: `${name}/file/below` }))).toBe("InvalidArgument");
  });

  it("many times at once works for all but one of them never twice", async () => {
    const codes = await Promise.all(
      Array.from({ length: 8 }, () => code(daemon.filesystem.makeDir({ path: `${name}/x/y/z` }))),
    );
    expect(codes).toContain("ok");
    expect(codes.filter((each) => each !== "ok" && each !== "AlreadyExists")).toEqual([]);
    expect(statSync(join(directory, "x/y/z")).uid).toBe(daemon.uid);
  });
});

describe("moving", () => {
  it("renames a file over another, and makes the directories it needs", async () => {
    writeFileSync(join(directory, "old"), "content");
    const { entry } = await daemon.filesystem.move({ source: `${name}/old`, destination: `${name}/new/place` });
    expect(entry).toMatchObject({ name: "place", path: join(directory, "new/place"), type: FileType.FILE });
    expect(readFileSync(join(directory, "new/place"), "utf8")).toBe("content");
    expect(existsSync(join(directory, "old"))).toBe(false);
    expect(statSync(join(directory, "new")).uid).toBe(daemon.uid);
  });

  it("what is not there is not_found and makes nothing", async () => {
    expect(await code(daemon.filesystem.move({ source: `${name}/none`, destination: `${name}/new/place` }))).toBe(
      "NotFound",
    );
    expect(existsSync(join(directory, "new"))).toBe(false);
  });

  it("a directory into itself or onto a full one says so", async () => {
    mkdirSync(join(directory, "a"));
    mkdirSync(join(directory, "b/full"), { recursive: true });
    expect(await code(daemon.filesystem.move({ source: `${name}/a`, destination: `${name}/a/b` }))).toBe(
      "InvalidArgument",
    );
    expect(await code(daemon.filesystem.move({ source: `${name}/a`, destination: `${name}/b` }))).toBe(
      "FailedPrecondition",
    );
  });
});

describe("removing", () => {
  it("takes a directory with all that is in it, names that are no text included", async () => {
    mkdirSync(join(directory, "a/b/c"), { recursive: true });
    execFileSync("/bin/bash", ["-c", "touch $'a/b/\\xff\\xfe'"], { cwd: directory });
    await daemon.filesystem.remove({ path: `${name}/a` });
    expect(existsSync(join(directory, "a"))).toBe(false);
  });

  it("takes a link and not what it points to", async () => {
    mkdirSync(join(directory, "a"));
    symlinkSync("a", join(directory, "link"));
    await daemon.filesystem.remove({ path: `${name}/link` });
    expect(existsSync(join(directory, "a"))).toBe(true);
    expect(lstatSync(join(directory, "link"), { throwIfNoEntry: false })).toBeUndefined();
  });

  it("what is not there is fine", async () => {
    expect(await code(daemon.filesystem.remove({ path: `${name}/none` }))).toBe("ok");
  });
});
