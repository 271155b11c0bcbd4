import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  EventType,
  Filesystem,
  type FilesystemEvent,
  FileType,
  type WatchDirRequestSchema,
} from "@castellan/contracts/filesystem";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { run } from "../../testing/run.ts";
import { startTestDaemon, type TestDaemon } from "../../testing/test-daemon.ts";

let daemon: TestDaemon;
let count = 0;
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

interface Watch {
  readonly events: FilesystemEvent[];
  readonly keepAlives: () => number;
  /** Resolves with the events so far, as "CREATE name", once one of them is this. */
  until(last: string): Promise<string[]>;
  readonly failure: Promise<unknown>;
  stop(): Promise<void>;
}

/** Watches as clients do; resolves once the daemon says that it does. */
async function watch(
  request: MessageInitShape<typeof WatchDirRequestSchema>,
  {
    client = daemon.filesystem,
    headers = {},
  }: { client?: TestDaemon["filesystem"]; headers?: Record<string, string> } = {},
): Promise<Watch> {
  const leaving = new AbortController();
  const events: FilesystemEvent[] = [];
  const started = Promise.withResolvers<void>();
  let keepAlives = 0;
  const failure = (async () => {
    for await (const { event } of client.watchDir(request, { signal: leaving.signal, headers })) {
      if (event.case === "start") started.resolve();
      if (event.case === "keepalive") keepAlives++;
      if (event.case === "filesystem") events.push(event.value);
    }
  })().catch((error: unknown) => {
    started.reject(error);
    return error;
  });
  const stop = async () => {
    leaving.abort();
    await failure;
  };
  onTestFinished(stop);
  await started.promise;
  return {
    events,
    keepAlives: () => keepAlives,
    failure,
    stop,
    async until(last) {
      await expect.poll(() => told(events), { timeout: 10_000 }).toContain(last);
      return told(events);
    },
  };
}

const typeNames = new Map<EventType, string>(Object.entries(EventType).map(([text, type]) => [type, text]));
const told = (events: readonly FilesystemEvent[]) => events.map(({ type, name }) => `${typeNames.get(type)} ${name}`);

async function code(work: Promise<unknown>): Promise<Code | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => (error instanceof ConnectError ? error.code : Code.Unknown),
  );
}

/** Directories that the daemon watches, as the kernel sees it. */
function watchedDirectories(): number {
  const base = `/proc/${daemon.pid}/fdinfo`;
  const texts = readdirSync(base).map((fd) => readFileSync(join(base, fd), "utf8"));
  return texts.join("").match(/^inotify wd:/gm)?.length ?? 0;
}

describe("watching a directory", () => {
  it("tells what happens in it, in order, and not what happens further below", async () => {
    mkdirSync(join(directory, "sub"));
    const watching = await watch({ path: name });
    const file = join(directory, "a");
    writeFileSync(file, "");
    appendFileSync(file, "text");
    chmodSync(file, 0o600);
    writeFileSync(join(directory, "sub/hidden"), "");
    renameSync(file, join(directory, "b"));
    unlinkSync(join(directory, "b"));
    expect(await watching.until("REMOVE b")).toEqual([
      "CREATE a",
      "WRITE a",
      "CHMOD a",
      "RENAME a",
      "CREATE b",
      "REMOVE b",
    ]);
  });

  it("tells what is written through the files API, and where from a command", async () => {
    const watching = await watch({ path: name });
    await fetch(`${daemon.url}/files?path=${name}/up`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: "x",
    });
    await watching.until("WRITE up");
    await run(daemon.process, "echo x > from-command", {
      cwd: directory,
      headers: { authorization: `Basic ${btoa("root:")}` },
    });
    await watching.until("WRITE from-command");
  });

  it("tells of all below when asked to, also of what is added later, each thing once", async () => {
    mkdirSync(join(directory, "old/er"), { recursive: true });
    const watching = await watch({ path: name, recursive: true });
    writeFileSync(join(directory, "old/er/file"), "x");
    await watching.until("WRITE old/er/file");
    // Faster than any watch could be set up.
    mkdirSync(join(directory, "new/one/two/three"), { recursive: true });
    for (let index = 0; index < 20; index++) writeFileSync(join(directory, `new/one/two/three/${index}`), "");
    await sleep(200);
    writeFileSync(join(directory, "new/one/two/three/last"), "x");
    const all = await watching.until("WRITE new/one/two/three/last");
    const created = all.filter((event) => event.startsWith("CREATE new"));
    expect(created.toSorted()).toEqual(
      [
        "CREATE new",
        "CREATE new/one",
        "CREATE new/one/two",
        "CREATE new/one/two/three",
        ...Array.from({ length: 20 }, (_, index) => `CREATE new/one/two/three/${index}`),
        "CREATE new/one/two/three/last",
      ].toSorted(),
    );
  });

  it("follows a directory that is moved, and lets go of one that is moved out", async () => {
    mkdirSync(join(directory, "tree/a/deep"), { recursive: true });
    const outside = join(daemon.home, `${name}-outside`);
    const watching = await watch({ path: `${name}/tree`, recursive: true });
    renameSync(join(directory, "tree/a"), join(directory, "tree/b"));
    expect(await watching.until("CREATE b")).toEqual(["RENAME a", "CREATE b"]);
    await sleep(100);
    writeFileSync(join(directory, "tree/b/deep/file"), "");
    await watching.until("CREATE b/deep/file");
    renameSync(join(directory, "tree/b"), outside);
    await watching.until("RENAME b");
    await sleep(100);
    writeFileSync(join(outside, "deep/unseen"), "");
    writeFileSync(join(directory, "tree/end"), "");
    expect((await watching.until("CREATE end")).join()).not.toContain("unseen");
  });

  it("describes the entry when asked to, as long as there is one", async () => {
    const watching = await watch({ path: name, includeEntry: true });
    writeFileSync(join(directory, "a"), "12345");
    await watching.until("WRITE a");
    const written = watching.events.find(({ type }) => type === EventType.WRITE);
    expect(written?.entry).toMatchObject({ name: "a", path: join(directory, "a"), type: FileType.FILE, size: 5n });
    unlinkSync(join(directory, "a"));
    await watching.until("REMOVE a");
    expect(watching.events.at(-1)?.entry).toBeUndefined();
    const plain = await watch({ path: name });
    writeFileSync(join(directory, "b"), "");
    await plain.until("CREATE b");
    expect(plain.events[0]?.entry).toBeUndefined();
  });

  it("tells that the directory itself goes, and follows a link to one", async () => {
    mkdirSync(join(directory, "target"));
    symlinkSync("target", join(directory, "link"));
    const watching = await watch({ path: `${name}/link` });
    writeFileSync(join(directory, "target/a"), "");
    await watching.until("CREATE a");
    rmSync(join(directory, "target"), { recursive: true });
    expect((await watching.until("REMOVE .")).at(-1)).toBe("REMOVE .");
  });

  it("tells everybody who watches it, and goes on for the others when one leaves", async () => {
    const [first, second] = [await watch({ path: name }), await watch({ path: name, recursive: true })];
    writeFileSync(join(directory, "a"), "");
    await Promise.all([first.until("CREATE a"), second.until("CREATE a")]);
    await first.stop();
    await sleep(100);
    writeFileSync(join(directory, "b"), "");
    await second.until("CREATE b");
    expect(told(first.events)).not.toContain("CREATE b");
  });

  it("gives a sign of life as often as asked", async () => {
    const watching = await watch({ path: name }, { headers: { "keepalive-ping-interval": "1" } });
    await expect.poll(watching.keepAlives, { timeout: 5_000 }).toBeGreaterThanOrEqual(2);
    writeFileSync(join(directory, "a"), "");
    await watching.until("CREATE a");
  });

  it.each([
    ["binary messages", () => createClient(Filesystem, daemon.transport({ binary: true }))],
    ["gRPC-web", () => createClient(Filesystem, createGrpcWebTransport({ baseUrl: daemon.url, httpVersion: "1.1" }))],
  ])("works with %s", async (_what, connect) => {
    const watching = await watch({ path: name }, { client: connect() });
    writeFileSync(join(directory, "a"), "");
    await watching.until("CREATE a");
  });

  it("ends with the deadline of its request", async () => {
    const events = daemon.filesystem.watchDir({ path: name }, { timeoutMs: 500 })[Symbol.asyncIterator]();
    await events.next();
    expect(await code(events.next())).toBe(Code.DeadlineExceeded);
    await expect.poll(watchedDirectories).toBe(0);
  });

  it("is refused for what is not there, is no directory, and beyond the limit of watchers", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await code(watch({ path: `${name}/nothing` }))).toBe(Code.NotFound);
    expect(await code(watch({ path: `${name}/file` }))).toBe(Code.InvalidArgument);
    expect(await code(watch({ path: `${name}/file/x` }))).toBe(Code.NotFound);
    const ids = await Promise.all(
      Array.from({ length: 256 }, async () => (await daemon.filesystem.createWatcher({ path: name })).watcherId),
    );
    const refused = await daemon.filesystem.createWatcher({ path: name }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: Code.FailedPrecondition, message: expect.stringContaining("256 watchers") });
    await Promise.all(ids.map((watcherId) => daemon.filesystem.removeWatcher({ watcherId })));
    await daemon.filesystem
      .createWatcher({ path: name })
      .then(({ watcherId }) => daemon.filesystem.removeWatcher({ watcherId }));
  });

  it("leaves nothing behind when its client goes without a word", async () => {
    mkdirSync(join(directory, "a/b/c"), { recursive: true });
    await expect.poll(watchedDirectories).toBe(0);
    const watching = [await watch({ path: name, recursive: true }), await watch({ path: name })];
    expect(watchedDirectories()).toBe(4);
    for (const one of watching) await one.stop();
    await expect.poll(watchedDirectories, { timeout: 5_000 }).toBe(0);
  });
});

describe("a watcher that is asked", () => {
  it("gives what has happened since it was asked last, until it is removed", async () => {
    mkdirSync(join(directory, "sub"));
    const { watcherId } = await daemon.filesystem.createWatcher({ path: name, recursive: true, includeEntry: true });
    const ask = async () => (await daemon.filesystem.getWatcherEvents({ watcherId })).events;
    expect(await ask()).toEqual([]);
    writeFileSync(join(directory, "sub/a"), "1");
    await sleep(100);
    const events = await ask();
    expect(told(events)).toEqual(["CREATE sub/a", "WRITE sub/a"]);
    expect(events[0]?.entry).toMatchObject({ name: "a", path: join(directory, "sub/a") });
    expect(await ask()).toEqual([]);
    await daemon.filesystem.removeWatcher({ watcherId });
    expect(await code(ask())).toBe(Code.NotFound);
    expect(await code(daemon.filesystem.removeWatcher({ watcherId }))).toBe(Code.NotFound);
    await expect.poll(watchedDirectories).toBe(0);
  });
});

it("a daemon ends although somebody watches", async () => {
  const other = await startTestDaemon();
  await other.filesystem.createWatcher({ path: "/tmp" });
  const begun = performance.now();
  await other.stop();
  expect(performance.now() - begun).toBeLessThan(4_000);
});
