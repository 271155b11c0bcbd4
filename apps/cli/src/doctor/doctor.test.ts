import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { upSettings } from "../settings.ts";
import { freePort, listenOn } from "../up/ports.ts";
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
