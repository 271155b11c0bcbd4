import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRedisServer } from "@castellan/store/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { upSettings } from "../settings.ts";
import { freePort, listenOn } from "../up/ports.ts";
import { examineClock } from "./clock.ts";
import { doctor, examine } from "./doctor.ts";

describe("castellan doctor", () => {
  let data: string;
  let port: number;
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "castellan-doctor-test-"));
    await chmod(data, 0o711);
    port = await freePort("127.0.0.1", []);
  });
  afterEach(async () => {
    await rm(data, { recursive: true, force: true });
  });
  const settings = (env = {}) => upSettings({ data, port: String(port) }, env);
  const find = async (name: string, env = {}) =>
    (await examine(settings(env))).find((finding) => finding.name === name);

  it("says that there is no base template and how to get it, and changes nothing", async () => {
    expect(await find("templates")).toMatchObject({ status: "problem", fix: expect.stringContaining("npm start") });
    expect(await readdir(data)).toEqual([]);
  });

  it("says which store is in force and what it survives", async () => {
    expect(await find("store")).toMatchObject({ status: "ok", detail: expect.stringMatching(/^SQLite.*survives/) });
    expect(await find("store", { REDIS_URL: "redis://127.0.0.1:1" })).toMatchObject({
      status: "problem",
      fix: expect.stringContaining("unset REDIS_URL"),
    });
  });

  it("says when the port is taken", async () => {
    const server = createServer();
    try {
      await listenOn(server, "127.0.0.1", port, "");
      expect(await find("port")).toMatchObject({ status: "problem", detail: expect.stringContaining("in use") });
    } finally {
      server.close();
    }
    expect(await find("port")).toMatchObject({ status: "ok" });
  });

  it("says whether an installation runs", async () => {
    expect(await find("running")).toMatchObject({ status: "note" });
    const url = `http://127.0.0.1:${port}`;
    await writeFile(join(data, "running.json"), JSON.stringify({ pid: process.pid, url }));
    expect(await find("running")).toMatchObject({ status: "ok", detail: `process ${process.pid} at ${url}` });
    expect(await find("port")).toMatchObject({ detail: expect.stringContaining("this installation's") });
  });

  it("says when the port that nodes would register on is taken", async () => {
    const server = createServer();
    try {
      await listenOn(server, "127.0.0.1", port, "");
      expect(await find("registry port", { CASTELLAN_REGISTRY_PORT: String(port) })).toMatchObject({
        status: "problem",
        fix: expect.stringContaining("--registry-port"),
      });
    } finally {
      server.close();
    }
  });

  it("refuses a Redis that forgets under pressure, and says what to set", async () => {
    const redis = await startRedisServer({ args: ["--maxmemory-policy", "allkeys-lru"] });
    try {
      expect(await find("store", { REDIS_URL: redis.url })).toMatchObject({
        status: "problem",
        detail: expect.stringContaining("noeviction"),
        fix: expect.stringContaining("maxmemory-policy noeviction"),
      });
    } finally {
      await redis.stop();
    }
  });

  it("says what is wrong with a data directory that sandboxes could not cross", async () => {
    await chmod(data, 0o700);
    const below = upSettings({ data: join(data, "below"), port: String(port) }, {});
    const finding = (await examine(below)).find(({ name }) => name === "data directory");
    expect(finding).toMatchObject({ status: "problem", detail: expect.stringContaining("closed to other users") });
  });

  it("says when the clock shows less than it has shown before", async () => {
    expect(await examineClock(data)).toMatchObject({ status: "ok" });
    await writeFile(join(data, "running.json"), "{}");
    expect(await examineClock(data, Date.now() - 3_600_000)).toMatchObject({
      status: "warning",
      detail: expect.stringContaining("was written at"),
      fix: expect.stringContaining("NTP"),
    });
  });

  it("says what stands between sandboxes and the machine, and what is missing for more", async () => {
    expect(await find("isolation")).toMatchObject({ detail: expect.stringMatching(/^runc: .*--isolation gvisor/) });
    const env = { CASTELLAN_ISOLATION: "runc,gvisor", CASTELLAN_RUNSC: "/nonexistent/runsc" };
    expect(await find("gvisor", env)).toMatchObject({
      status: "problem",
      fix: expect.stringContaining("npm start -- --isolation gvisor"),
    });
    expect(await find("gvisor")).toBeUndefined();
  });

  it("looks at everything that a start needs", async () => {
    const names = (await examine(settings())).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(
        `castellan node running root machine kernel seccomp cgroups routing memory forwarding runc nft ip mkfs.ext4
        nsenter unshare tini templates store port clock pause isolation`.split(/\s+/),
      ),
    );
  });

  it.runIf(process.getuid?.() === 0)("tells a user without root what works, and how to get the rest", () => {
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const args = ["--conditions=source", main, "doctor", "--json", "--data", data, "--port", String(port)];
    const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const env = { PATH: process.env["PATH"], HOME: "/nonexistent" };
    const ended = spawnSync("setpriv", [...user, process.execPath, ...args], { encoding: "utf8", env });
    expect(ended.status).toBe(1);
    const report: { findings: { name: string; status: string; detail: string; fix?: string }[] } = JSON.parse(
      ended.stdout,
    );
    const of = (name: string) => report.findings.find((finding) => finding.name === name);
    expect(of("root")).toMatchObject({ status: "problem", fix: "run as root" });
    expect(of("without root")).toMatchObject({
      detail: expect.stringMatching(/nodes on other machines.*npm test.*sudo/),
    });
    // Nothing that is only forbidden is called missing.
    expect(of("nft")).toMatchObject({ detail: "not tried: needs root" });
  });

  it("says plainly that pause keeps nothing yet", async () => {
    expect(await find("pause")).toMatchObject({ detail: expect.stringContaining("pause keeps nothing yet") });
  });

  it("exits with 1 while something is missing that up needs, with a fix for everything that is wrong", async () => {
    let text = "";
    const sink = { write: (more: string) => (text += more) };
    expect(await doctor(settings(), { json: true, sink })).toBe(1);
    const report: { ok: boolean; findings: { status: string; fix?: string }[] } = JSON.parse(text);
    expect(report.ok).toBe(false);
    const wrong = report.findings.filter(({ status }) => status === "problem" || status === "warning");
    expect(wrong.every(({ fix }) => fix !== undefined && fix !== "")).toBe(true);
  });
});
