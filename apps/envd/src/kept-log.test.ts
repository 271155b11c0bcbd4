import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { both, KeptLog } from "./kept-log.ts";
import { startTestDaemon, type TestDaemon } from "./testing/test-daemon.ts";

describe("the daemon's own log", () => {
  const secret = "the-secret-of-the-log";
  let daemon: TestDaemon;
  beforeEach(async () => {
    const hash = createHash("sha256").update(secret).digest("hex");
    daemon = await startTestDaemon({ env: { CASTELLAN_LOGS_SHA256: hash } });
  });
  afterEach(() => daemon.stop());

  const read = async (query = "", shown = secret) =>
    await fetch(`${daemon.url}/logs${query}`, { headers: { authorization: `Bearer ${shown}` } });

  it("tells the node that a process began and ended, and nothing of its command line or variables", async () => {
    const config = {
      cmd: "/bin/sh",
      args: ["-c", "echo $HIDDEN; exit 3 # token-in-args"],
      envs: { HIDDEN: "in-envs" },
    };
    for await (const _ of daemon.process.start({ process: config })) {
      // Until it has ended.
    }
    const text = await (await read()).text();
    expect(JSON.parse(text)).toMatchObject({
      dropped: 0,
      entries: expect.arrayContaining([
        expect.objectContaining({ message: "process started", logger: "process", level: "info" }),
        expect.objectContaining({
          message: "process ended",
          fields: expect.objectContaining({ pid: expect.any(Number), status: "exit status 3" }),
        }),
      ]),
    });
    expect(text).not.toMatch(/token-in-args|in-envs|HIDDEN/);
  });

  it("is nobody else's: not without the secret, not with the control secret, not with a client's token", async () => {
    await daemon.init({ accessToken: "client" });
    expect((await fetch(`${daemon.url}/logs`)).status).toBe(401);
    expect((await fetch(`${daemon.url}/logs`, { headers: { "x-access-token": "client" } })).status).toBe(401);
    expect((await read("", daemon.initSecret)).status).toBe(401);
    expect((await read()).status).toBe(200);
  });

  it("is told from where the reader is, and from the beginning to one who read another daemon's", async () => {
    const { boot, entries } = JSON.parse(await (await read()).text());
    const last = entries.at(-1).sequence;
    expect(JSON.parse(await (await read(`?boot=${boot}&after=${last}`)).text()).entries).toEqual([]);
    expect(JSON.parse(await (await read(`?boot=another&after=${last}`)).text()).entries).toEqual(entries);
    expect(JSON.parse(await (await read(`?boot=${boot}&after=x`)).text()).entries).toEqual(entries);
  });
});

describe("what a daemon keeps of its log", () => {
  it("is bounded, and says how much is gone", () => {
    const log = new KeptLog();
    for (let line = 0; line < 10_000; line += 1) log.info({ pid: line }, "process started");
    const { dropped, entries } = log.after(0);
    expect(entries.length).toBeLessThanOrEqual(2_000);
    expect(dropped + entries.length).toBe(10_000);
    expect(log.after(9_990)).toMatchObject({ dropped: 0, entries: { length: 10 } });
  });

  it("holds no field that is not on the list of those that may be shown", () => {
    const log = new KeptLog();
    const other = new KeptLog();
    both(log, other).warn(
      { pid: 1, err: new Error("secret"), args: ["secret"], command: "secret", env: { A: "secret" } },
      "it failed",
    );
    expect(log.after(0).entries).toMatchObject([{ level: "warn", logger: "daemon", fields: { pid: 1 } }]);
    expect(JSON.stringify(other.after(0))).not.toContain("secret");
  });
});
