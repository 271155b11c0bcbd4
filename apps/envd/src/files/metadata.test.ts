import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

let daemon: TestDaemon;
let count = 0;

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon?.stop());

const fresh = () => `file-${++count}`;
const send = async (path: string, headers: Record<string, string> = {}, body = "content") => {
  const response = await fetch(`${daemon.url}/files?${new URLSearchParams({ path })}`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream", ...headers },
    body,
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
};
const described = async (path: string) => (await daemon.filesystem.stat({ path })).entry?.metadata;
/** Sets attributes as a command inside would. */
const setAttribute = (path: string, name: string, hex: string) =>
  execFileSync("python3", [
    "-c",
    `import os; os.setxattr(${JSON.stringify(path)}, ${JSON.stringify(name)}, bytes.fromhex("${hex}"))`,
  ]);

describe("metadata of a file", () => {
  it("comes with an upload, and is there in its answer, descriptions, listings and after a move", async () => {
    const name = fresh();
    const sent = await send(`${name}/a`, {
      "X-Metadata-Author": "mish",
      "x-metadata-purpose": "up load",
      "x-metadata-__proto__": "p",
    });
    const metadata = { author: "mish", purpose: "up load", ["__proto__"]: "p" };
    expect(sent.body).toEqual([{ name: "a", type: "file", path: join(daemon.home, name, "a"), metadata }]);
    expect(await described(`${name}/a`)).toEqual(metadata);
    const { entries } = await daemon.filesystem.listDir({ path: name });
    expect(entries.map((entry) => entry.metadata)).toEqual([metadata]);
    const moved = await daemon.filesystem.move({ source: `${name}/a`, destination: `${name}/b` });
    expect(moved.entry?.metadata).toEqual(metadata);
    // Of its own a directory has none.
    expect(await described(name)).toEqual({});
  });

  it("comes with every file of a multipart upload", async () => {
    const name = fresh();
    const body = new FormData();
    for (const part of ["a", "b"]) body.append("file", new Blob([part]), `${name}/${part}`);
    const response = await fetch(`${daemon.url}/files`, {
      method: "POST",
      body,
      headers: { "x-metadata-source": "test" },
    });
    expect(JSON.parse(await response.text()).map(({ metadata }: { metadata: unknown }) => metadata)).toEqual([
      { source: "test" },
      { source: "test" },
    ]);
  });

  it("goes when the file is written again, and attributes of others stay", async () => {
    const name = fresh();
    await send(name, { "x-metadata-author": "mish", "x-metadata-kept": "1" });
    setAttribute(join(daemon.home, name), "user.foreign", "aa");
    expect((await send(name, { "x-metadata-kept": "2" })).body[0].metadata).toEqual({ kept: "2" });
    expect(await described(name)).toEqual({ kept: "2" });
    expect((await send(name)).body[0]).not.toHaveProperty("metadata");
    expect(await described(name)).toEqual({});
    const names = execFileSync("python3", [
      "-c",
      `import os; print(os.listxattr(${JSON.stringify(join(daemon.home, name))}))`,
    ]);
    expect(names.toString()).toBe("['user.foreign']\n");
  });

  it("can be set by commands; what is no text is left out", async () => {
    const name = fresh();
    await send(name);
    const path = join(daemon.home, name);
    setAttribute(path, "user.e2b.author", "6d697368");
    setAttribute(path, "user.e2b.empty", "");
    setAttribute(path, "user.e2b.bad", "fffe");
    expect(await described(name)).toEqual({ author: "mish", empty: "" });
  });

  it("is refused where it cannot be kept, before anything is written", async () => {
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`x-metadata-${index}`, "v".repeat(500)]));
    for (const [headers, message] of [
      [{ "x-metadata-": "v" }, "a metadata key is empty"],
      [{ [`x-metadata-${"k".repeat(247)}`]: "v" }, "longer than 246 bytes"],
      [{ "x-metadata-a": "caf\u00e9" }, "printable ASCII"],
      [many, "more than 4096"],
    ] as const) {
      const name = fresh();
      const refused = await send(name, headers);
      expect(refused).toEqual({ status: 400, body: { code: 400, message: expect.stringContaining(message) } });
      await expect(daemon.filesystem.stat({ path: name })).rejects.toThrow("not found");
    }
    const name = fresh();
    expect((await send(name, { [`x-metadata-${"k".repeat(246)}`]: "v" })).status).toBe(200);
  });

  it("does not keep a file that can have none from being written", async () => {
    const sent = await send("/dev/null", { "x-metadata-a": "b" });
    expect(sent).toEqual({ status: 200, body: [{ name: "null", type: "file", path: "/dev/null" }] });
  });
});
