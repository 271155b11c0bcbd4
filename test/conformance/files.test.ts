import { type FilesystemEvent, NotFoundError, Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

describe.runIf(canRunSandboxes)("files", () => {
  let stack: Stack;
  let sandbox: Sandbox;

  beforeAll(async () => {
    stack = await startStack();
    sandbox = await Sandbox.create("base", connectionOptions(stack));
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  test("a file that was written is read back, with its parents made", async () => {
    const written = await sandbox.files.write("deep/er/note.txt", "hello");
    expect(written).toMatchObject({ name: "note.txt", path: "/home/user/deep/er/note.txt" });
    expect(await sandbox.files.read("deep/er/note.txt")).toBe("hello");
    const owner = await sandbox.commands.run("stat -c %U deep deep/er deep/er/note.txt");
    expect(owner.stdout).toBe("user\nuser\nuser\n");
  });

  test("writing again replaces the content", async () => {
    await sandbox.files.write("twice.txt", "a long first version");
    await sandbox.files.write("twice.txt", "second");
    expect(await sandbox.files.read("twice.txt")).toBe("second");
  });

  test("an empty file stays empty either way", async () => {
    await sandbox.files.write("empty.txt", "");
    expect(await sandbox.files.read("empty.txt")).toBe("");
  });

  test("bytes survive, also twenty megabytes of them", async () => {
    const bytes = new Uint8Array(20 * 1024 * 1024);
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = (index * 31) & 0xff;
    await sandbox.files.write("big.bin", bytes.buffer);
    const back = await sandbox.files.read("big.bin", { format: "bytes" });
    expect(Buffer.compare(Buffer.from(back), Buffer.from(bytes))).toBe(0);
  });

  test("several files go in one call", async () => {
    const written = await sandbox.files.write([
      { path: "one.txt", data: "1" },
      { path: "/tmp/two.txt", data: "2" },
    ]);
    expect(written.map(({ path }) => path)).toEqual(["/home/user/one.txt", "/tmp/two.txt"]);
    expect(await sandbox.files.read("/tmp/two.txt")).toBe("2");
  });

  test("a directory is made once and listed with its entries", async () => {
    expect(await sandbox.files.makeDir("place/inner")).toBe(true);
    expect(await sandbox.files.makeDir("place/inner")).toBe(false);
    await sandbox.files.write("place/file.txt", "x");
    const names = (await sandbox.files.list("place")).map(({ name }) => name);
    expect(names).toEqual(["file.txt", "inner"]);
  });

  test("what exists is told from what does not", async () => {
    await sandbox.files.write("here.txt", "x");
    expect(await sandbox.files.exists("here.txt")).toBe(true);
    expect(await sandbox.files.exists("nowhere.txt")).toBe(false);
  });

  test("an entry's size, mode and owner are told", async () => {
    await sandbox.files.write("info.txt", "12345");
    expect(await sandbox.files.getInfo("info.txt")).toMatchObject({
      name: "info.txt",
      type: "file",
      size: 5,
      mode: 0o644,
      permissions: "-rw-r--r--",
      owner: "user",
      group: "user",
    });
  });

  test("a file is renamed and removed", async () => {
    await sandbox.files.write("old.txt", "x");
    const entry = await sandbox.files.rename("old.txt", "new.txt");
    expect(entry.path).toBe("/home/user/new.txt");
    expect(await sandbox.files.exists("old.txt")).toBe(false);
    await sandbox.files.remove("new.txt");
    expect(await sandbox.files.exists("new.txt")).toBe(false);
  });

  test("a missing file is a clear error", async () => {
    await expect(sandbox.files.read("missing.txt")).rejects.toThrow(NotFoundError);
    await expect(sandbox.files.getInfo("missing.txt")).rejects.toThrow(NotFoundError);
    await expect(sandbox.files.rename("missing.txt", "other.txt")).rejects.toThrow(NotFoundError);
  });

  test("reading a directory is a clear error", async () => {
    await sandbox.files.makeDir("adir");
    await expect(sandbox.files.read("adir")).rejects.toThrow(/directory/);
  });

  test("metadata comes with a file, is told with it, and goes when it is written again", async () => {
    const metadata = { author: "ada", purpose: "a test" };
    expect((await sandbox.files.write("tagged/a.txt", "1", { metadata })).metadata).toEqual(metadata);
    expect((await sandbox.files.getInfo("tagged/a.txt")).metadata).toEqual(metadata);
    expect((await sandbox.files.list("tagged")).map((entry) => entry.metadata)).toEqual([metadata]);
    expect((await sandbox.files.rename("tagged/a.txt", "tagged/b.txt")).metadata).toEqual(metadata);
    await sandbox.files.write("tagged/b.txt", "2");
    expect((await sandbox.files.getInfo("tagged/b.txt")).metadata).toBeUndefined();
  });

  test("contents are compressed on their way when asked for, both ways", async () => {
    const text = "compress me ".repeat(10_000);
    await sandbox.files.write("zipped.txt", text, { gzip: true });
    expect(await sandbox.files.read("zipped.txt", { gzip: true })).toBe(text);
    expect(await sandbox.files.read("zipped.txt")).toBe(text);
  });

  test("changes below a watched directory are told as they happen, with what they are about", async () => {
    await sandbox.files.makeDir("watched/old");
    const events: FilesystemEvent[] = [];
    const names = () => events.map(({ type, name }) => `${type} ${name}`);
    const handle = await sandbox.files.watchDir("watched", (event) => void events.push(event), {
      recursive: true,
      includeEntry: true,
    });
    await sandbox.files.write("watched/old/a.txt", "from a client");
    await sandbox.commands.run("mkdir -p watched/new/deep && echo x > watched/new/deep/b.txt && rm watched/old/a.txt");
    await expect
      .poll(names, { timeout: 10_000 })
      .toEqual(
        expect.arrayContaining(["create old/a.txt", "write old/a.txt", "create new/deep/b.txt", "remove old/a.txt"]),
      );
    const created = events.find(({ type, name }) => type === "create" && name === "new/deep/b.txt");
    expect(created?.entry).toMatchObject({ name: "b.txt", path: "/home/user/watched/new/deep/b.txt", type: "file" });
    await handle.stop();
    const before = events.length;
    await sandbox.files.write("watched/later.txt", "x");
    await expect(sandbox.files.watchDir("nowhere", () => {})).rejects.toThrow(NotFoundError);
    expect(events).toHaveLength(before);
  });

  test("a template's own directory is watched as well", async () => {
    const changed = Promise.withResolvers<void>();
    const handle = await sandbox.files.watchDir("/usr/share", ({ name }) => {
      if (name === "added") changed.resolve();
    });
    await sandbox.commands.run("touch /usr/share/added", { user: "root" });
    await changed.promise;
    await handle.stop();
  });

  test("a signed address lets its holder read or write one file, without a key, until it expires", async () => {
    await sandbox.files.write("signed.txt", "content");
    const readable = await sandbox.downloadUrl("signed.txt", { useSignatureExpiration: 60 });
    expect(await (await fetch(readable)).text()).toBe("content");
    const body = new FormData();
    body.append("file", "written");
    const writable = await sandbox.uploadUrl("signed.txt", { useSignatureExpiration: 60 });
    expect((await fetch(writable, { method: "POST", body })).status).toBe(200);
    expect(await sandbox.files.read("signed.txt")).toBe("written");
    const expired = await fetch(await sandbox.downloadUrl("signed.txt", { useSignatureExpiration: -60 }));
    expect([expired.status, await expired.json()]).toEqual([
      401,
      { code: 401, message: "signature is already expired" },
    ]);
  });

  test("without the sandbox's token nothing is read", async () => {
    const answer = await fetch(`${stack.sandboxUrl}/files?path=/etc/hostname&username=user`, {
      headers: { "E2b-Sandbox-Id": sandbox.sandboxId, "E2b-Sandbox-Port": "49983" },
    });
    expect(answer.status).toBe(401);
  });
});
