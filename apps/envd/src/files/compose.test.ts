import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

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
  for (const part of ["one", "two"]) writeFileSync(join(directory, part), `${part} `);
});

const compose = async (body: unknown) => {
  const response = await fetch(`${daemon.url}/files/compose`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
};

describe("composing a file", () => {
  it("puts the parts together in their order, owned by the user, and removes them", async () => {
    const sources = ["two", "one", "two"].map((part) => `${name}/${part}`);
    const composed = await compose({ source_paths: sources, destination: `${name}/new/whole` });
    const path = join(directory, "new/whole");
    expect(composed).toEqual({ status: 200, body: { path, name: "whole", type: "file" } });
    expect(readFileSync(path, "utf8")).toBe("two one two ");
    expect(statSync(path)).toMatchObject({ uid: daemon.uid, gid: daemon.gid });
    expect(readdirSync(directory)).toEqual(["new"]);
  });

  it("replaces what was at the destination", async () => {
    writeFileSync(join(directory, "whole"), "before");
    await compose({ source_paths: [`${name}/one`], destination: `${name}/whole`, username: "user" });
    expect(readFileSync(join(directory, "whole"), "utf8")).toBe("one ");
  });

  it("changes nothing when something is wrong", async () => {
    const [one, two] = [`${name}/one`, `${name}/two`];
    writeFileSync(join(directory, "whole"), "before");
    for (const [body, status, message] of [
      [{}, 400, "source_paths"],
      [{ source_paths: [], destination: one }, 400, "source_paths"],
      [{ source_paths: [5], destination: one }, 400, "source_paths"],
      [{ source_paths: [one] }, 400, "destination is required"],
      [{ source_paths: [one], destination: one }, 400, "is the destination"],
      [{ source_paths: [one, `${name}/missing`], destination: `${name}/whole` }, 404, "does not exist"],
      [{ source_paths: [one, name], destination: `${name}/whole` }, 400, "not a regular file"],
      [{ source_paths: [one, two], destination: name }, 400, "is a directory"],
      [{ source_paths: [one], destination: `${name}/whole`, username: "nobody-here" }, 401, "invalid username"],
      ["[]", 400, "JSON object"],
      [{ source_paths: [one], destination: "/dev/full/x" }, 400, "not a directory"],
    ] as const) {
      const refused = await compose(body);
      expect(refused).toEqual({ status, body: { code: status, message: expect.stringContaining(message) } });
    }
    expect(readdirSync(directory).sort()).toEqual(["one", "two", "whole"]);
    expect(readFileSync(join(directory, "whole"), "utf8")).toBe("before");
    expect(existsSync(join(directory, "one"))).toBe(true);
  });
});
