import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { run } from "../testing/run.ts";
import { as, isRoot, startTestDaemon, type TestDaemon } from "../testing/test-daemon.ts";

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

const url = (query: Record<string, string> = {}) => `${daemon.url}/files?${new URLSearchParams(query)}`;
const get = (path: string, headers: Record<string, string> = {}) => fetch(url({ path }), { headers });
const octets = { "content-type": "application/octet-stream" };

function put(path: string, body: NonNullable<RequestInit["body"]>, headers: Record<string, string> = {}) {
  return fetch(url({ path }), { method: "POST", headers: { ...octets, ...headers }, body });
}

function form(...files: [path: string, content: string][]): FormData {
  const data = new FormData();
  for (const [path, content] of files) data.append("file", new Blob([content]), path);
  return data;
}

describe("downloading a file", () => {
  it("gives it gzipped to a client that asks for that, parts and plain takers apart", async () => {
    const content = "compress me ".repeat(100_000);
    writeFileSync(join(directory, "a.txt"), content);
    const zipped = await raw(`${name}/a.txt`, { "accept-encoding": "gzip" });
    expect(zipped.headers).toMatchObject({
      "content-encoding": "gzip",
      "content-type": expect.stringContaining("text/plain"),
    });
    expect(zipped.headers).toHaveProperty("vary", "Accept-Encoding");
    expect(zipped.body.length).toBeLessThan(content.length / 10);
    expect(gunzipSync(zipped.body).toString()).toBe(content);
    const part = await raw(`${name}/a.txt`, { "accept-encoding": "gzip", range: "bytes=0-7" });
    expect([part.status, part.body.toString()]).toEqual([206, "compress"]);
    expect((await raw(`${name}/a.txt`, { "accept-encoding": "gzip, deflate, br" })).headers).not.toHaveProperty(
      "content-encoding",
    );
    const unacceptable: Record<string, string>[] = [
      { "accept-encoding": "br, *;q=0" },
      { "accept-encoding": "gzip, identity;q=0", range: "bytes=0-7" },
    ];
    for (const headers of unacceptable) {
      const refused = await raw(`${name}/a.txt`, headers);
      expect([refused.status, JSON.parse(refused.body.toString())]).toEqual([
        406,
        { code: 406, message: "no acceptable encoding found, supported: [identity, gzip]" },
      ]);
    }
  });

  it("gives its bytes, with their number", async () => {
    writeFileSync(join(directory, "a.txt"), "Hello, world!");
    const response = await get(`${name}/a.txt`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe("13");
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(await response.text()).toBe("Hello, world!");
  });

  it("that is empty has the length 0", async () => {
    writeFileSync(join(directory, "empty"), "");
    const response = await get(`${name}/empty`);
    expect(response.headers.get("content-length")).toBe("0");
    expect(await response.text()).toBe("");
  });

  it("gives a part when asked for one", async () => {
    writeFileSync(join(directory, "a"), "0123456789");
    const part = await get(`${name}/a`, { range: "bytes=2-4" });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 2-4/10", "234"]);
    const none = await get(`${name}/a`, { range: "bytes=20-" });
    expect([none.status, none.headers.get("content-range")]).toEqual([416, "bytes */10"]);
    expect(await none.json()).toMatchObject({ code: 416 });
    const changed = await get(`${name}/a`, { range: "bytes=2-4", "if-range": "Thu, 01 Jan 1970 00:00:00 GMT" });
    expect([changed.status, await changed.text()]).toEqual([200, "0123456789"]);
  });

  it("that has not changed is not sent again", async () => {
    writeFileSync(join(directory, "a"), "x");
    const modified = (await get(`${name}/a`)).headers.get("last-modified") ?? "";
    expect((await get(`${name}/a`, { "if-modified-since": modified })).status).toBe(304);
  });

  it("of the kernel, which has no size, gives what it holds", async () => {
    expect(await (await get("/proc/self/status")).text()).toContain("Uid:");
  });

  it("of 64 MiB comes whole, and memory stays small", async () => {
    const path = join(directory, "big");
    const block = randomBytes(1024 * 1024);
    writeFileSync(path, Buffer.concat(Array.from({ length: 64 }, () => block)));
    const before = memory();
    const body = Buffer.from(await (await get(path)).arrayBuffer());
    expect(body.equals(readFileSync(path))).toBe(true);
    expect(memory() - before).toBeLessThan(40_000);
  });

  it("that becomes shorter meanwhile ends the connection instead of leaving the client waiting", async () => {
    const path = join(directory, "shrinking");
    writeFileSync(path, "");
    truncateSync(path, 200_000_000);
    const response = await get(path);
    const reader = response.body?.getReader();
    await reader?.read();
    truncateSync(path, 1_000_000);
    const readRest = async () => {
      while (!(await reader?.read())?.done);
    };
    await expect(readRest()).rejects.toThrow();
  });

  it("that nobody reads does not hold up others", async () => {
    const path = join(directory, "unread");
    writeFileSync(path, "");
    truncateSync(path, 100_000_000);
    const unread = await Promise.all(Array.from({ length: 12 }, () => get(path)));
    writeFileSync(join(directory, "small"), "small");
    expect(await (await get(`${name}/small`)).text()).toBe("small");
    await Promise.all(unread.map((response) => response.body?.cancel()));
  });

  it("that cannot be had says why", async () => {
    execFileSync("mkfifo", [join(directory, "fifo")]);
    writeFileSync(join(directory, "file"), "");
    const failures = [
      ["a missing file", { path: `${name}/none` }, 404, "does not exist"],
      ["a path below a file", { path: `${name}/file/none` }, 404, "does not exist"],
      ["a directory", { path: name }, 400, "is a directory"],
      ["a named pipe", { path: `${name}/fifo` }, 400, "is not a regular file"],
      ["what only looks like a file", { path: "/proc/self/mem" }, 409, "cannot be read or written there"],
      ["no path", {}, 400, "is a directory"],
      ["an impossible path", { path: "~root/x" }, 400, "cannot expand"],
      ["an unknown user", { path: "a", username: "stranger" }, 401, "invalid username: 'stranger'"],
    ] as const;
    for (const [, query, status, message] of failures) {
      const response = await fetch(url(query));
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ code: status, message: expect.stringContaining(message) });
    }
  });
});

describe("uploading", () => {
  it("writes a part under its whole file name and answers with an array", async () => {
    const response = await fetch(url(), { method: "POST", body: form([`${name}/deep/er/ü "q".txt`, "text"]) });
    expect(response.status).toBe(200);
    const path = join(directory, "deep/er/ü %22q%22.txt");
    expect(await response.json()).toEqual([{ name: "ü %22q%22.txt", type: "file", path }]);
    expect(readFileSync(path, "utf8")).toBe("text");
    expect(statSync(path)).toMatchObject({ uid: daemon.uid, gid: daemon.gid });
    expect(statSync(path).mode & 0o7777).toBe(0o644);
    for (const parent of ["deep", "deep/er"]) expect(statSync(join(directory, parent)).uid).toBe(daemon.uid);
  });

  it("writes many parts in their order, empty ones too", async () => {
    const files = Array.from({ length: 300 }, (_, index): [string, string] => [`${name}/${index}`, "y".repeat(index)]);
    const response = await fetch(url(), { method: "POST", body: form(...files) });
    const written: unknown = await response.json();
    expect(written).toEqual(
      files.map(([path]) => ({ name: path.slice(name.length + 1), type: "file", path: join(daemon.home, path) })),
    );
    for (const [path, content] of files) expect(readFileSync(join(daemon.home, path), "utf8")).toBe(content);
  });

  it("writes to the query's path before the part's", async () => {
    await fetch(url({ path: `${name}/query` }), { method: "POST", body: form(["part", "text"]) });
    expect(readFileSync(join(directory, "query"), "utf8")).toBe("text");
  });

  it("writes an octet stream, also without a length and when empty", async () => {
    expect(await (await put(`${name}/a`, "plain")).json()).toEqual([
      { name: "a", type: "file", path: join(directory, "a") },
    ]);
    await put(`${name}/empty`, "");
    const stream = new Blob(["streamed ".repeat(100_000)]).stream();
    await fetch(url({ path: `${name}/streamed` }), {
      method: "POST",
      headers: octets,
      body: stream,
      duplex: "half",
    } as RequestInit);
    const nothing = new Blob([]).stream();
    await fetch(url({ path: `${name}/nothing` }), {
      method: "POST",
      headers: octets,
      body: nothing,
      duplex: "half",
    } as RequestInit);
    expect(readFileSync(join(directory, "a"), "utf8")).toBe("plain");
    expect(statSync(join(directory, "empty")).size).toBe(0);
    expect(statSync(join(directory, "streamed")).size).toBe(900_000);
    expect(statSync(join(directory, "nothing")).size).toBe(0);
  });

  it("takes gzipped bodies of both kinds", async () => {
    const gzip = { "content-encoding": "gzip" };
    const content = "compressed ".repeat(100_000);
    expect((await put(`${name}/octets`, gzipSync(content), gzip)).status).toBe(200);
    const parts = new Response(form([`${name}/part`, content]));
    const headers = { ...gzip, "content-type": parts.headers.get("content-type") ?? "" };
    const body = gzipSync(Buffer.from(await parts.arrayBuffer()));
    expect((await fetch(url(), { method: "POST", headers, body })).status).toBe(200);
    for (const file of ["octets", "part"]) expect(readFileSync(join(directory, file), "utf8")).toBe(content);
    const full = await put("/dev/full", gzipSync(randomBytes(5_000_000)), gzip);
    expect(full.status).toBe(507);
  });

  it("overwrites in place: mode and links stay, the owner becomes the user", async () => {
    writeFileSync(join(directory, "file"), "something longer");
    chmodSync(join(directory, "file"), 0o750);
    symlinkSync("file", join(directory, "link"));
    await put(`${name}/link`, "short");
    expect(readFileSync(join(directory, "file"), "utf8")).toBe("short");
    expect(statSync(join(directory, "file"))).toMatchObject({ uid: daemon.uid });
    expect(statSync(join(directory, "file")).mode & 0o7777).toBe(0o750);
  });

  it.runIf(isRoot)("belongs to the user that the request names", async () => {
    await fetch(url({ path: `${directory}/a`, username: "root" }), { method: "POST", headers: octets, body: "x" });
    expect(statSync(join(directory, "a")).uid).toBe(0);
    await put(`${directory}/b`, "x", as("other"));
    expect(statSync(join(directory, "b")).uid).toBe(21_002);
  });

  it("of 64 MiB arrives whole, and memory stays small", async () => {
    const body = Buffer.alloc(64 * 1024 * 1024, randomBytes(4096));
    const before = memory();
    await put(`${name}/octets`, body);
    const data = new FormData();
    data.append("file", new Blob([body]), `${name}/part`);
    await fetch(url(), { method: "POST", body: data });
    expect(readFileSync(join(directory, "octets")).equals(body)).toBe(true);
    expect(readFileSync(join(directory, "part")).equals(body)).toBe(true);
    expect(memory() - before).toBeLessThan(60_000);
  });

  it("that breaks off leaves no half of a new file", async () => {
    const path = join(directory, "half");
    await new Promise<void>((resolve) => {
      const request = httpRequest(url({ path }), {
        method: "POST",
        headers: { ...octets, "content-length": 1_000_000 },
      });
      request.on("error", () => resolve());
      request.write("x".repeat(100_000));
      setTimeout(() => request.destroy(new Error("gone")), 300);
    });
    await expect.poll(() => existsSync(path)).toBe(false);
  });

  it("that cannot be stored says why, and the daemon takes the next one", async () => {
    execFileSync("mkfifo", [join(directory, "fifo")]);
    mkdirSync(join(directory, "dir"));
    writeFileSync(join(directory, "file"), "");
    const big = "x".repeat(3_000_000);
    const two = form([`${name}/same`, "1"], [`${name}/./same`, "2"]);
    const other = new FormData();
    other.append("note", "no file");
    const broken = { "content-type": "multipart/form-data; boundary=b" };
    const failures: [what: string, sending: Promise<Response>, status: number, message: string][] = [
      ["onto a directory", put(`${name}/dir`, big), 400, "is a directory"],
      ["below a file", put(`${name}/file/x`, big), 400, "not a directory"],
      ["into a named pipe", put(`${name}/fifo`, big), 400, "not a regular file"],
      ["an impossible path", put("~root/x", big), 400, "cannot expand"],
      [
        "without a path",
        fetch(url(), { method: "POST", headers: octets, body: big }),
        400,
        "needs the query parameter path",
      ],
      [
        "as an unknown user",
        fetch(url({ path: "a", username: "x" }), { method: "POST", headers: octets, body: big }),
        401,
        "invalid username",
      ],
      ["twice the same path", fetch(url(), { method: "POST", body: two }), 400, "several files to the same path"],
      ["no part named file", fetch(url(), { method: "POST", body: other }), 400, "no part named 'file'"],
      [
        "no boundary",
        fetch(url(), { method: "POST", headers: { "content-type": "multipart/form-data" }, body: "x" }),
        400,
        "malformed",
      ],
      [
        "no end",
        fetch(url(), {
          method: "POST",
          headers: broken,
          body: '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nabc',
        }),
        400,
        "broke off",
      ],
      [
        "another type",
        fetch(url({ path: "a" }), { method: "POST", headers: { "content-type": "text/plain" }, body: "x" }),
        400,
        "unsupported content type",
      ],
      ["in another encoding", put(`${name}/z`, "x", { "content-encoding": "br" }), 415, "not supported"],
      ["not gzip as it says", put(`${name}/z`, big, { "content-encoding": "gzip" }), 400, "malformed"],
    ];
    for (const [what, sending, status, message] of failures) {
      const response = await sending;
      expect([what, response.status]).toEqual([what, status]);
      expect(await response.json()).toEqual({ code: status, message: expect.stringContaining(message) });
    }
    expect((await put(`${name}/next`, "fine")).status).toBe(200);
  });

  it("to a full disk is refused with 507, leaves nothing there, and the client gets to read it", async () => {
    for (const body of ["x".repeat(100), "x".repeat(5_000_000)]) {
      const response = await put("/dev/full", body);
      expect(response.status).toBe(507);
      expect(await response.json()).toEqual({
        code: 507,
        message: expect.stringContaining("not enough disk space available"),
      });
    }
    expect(statSync("/dev/full")).toMatchObject({ uid: 0, gid: 0 });
    const response = await fetch(url(), { method: "POST", body: form(["/dev/full", "x".repeat(5_000_000)]) });
    expect(response.status).toBe(507);
  });

  it("takes a part that was sent as a plain field, byte for byte, where the query says the path", async () => {
    const bytes = Buffer.from([0, 1, 0x7f, 0x80, 0xc3, 0x28, 0xff, 0x0a]);
    const body = Buffer.concat([
      Buffer.from('--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n'),
      bytes,
      Buffer.from("\r\n--b--\r\n"),
    ]);
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    const response = await fetch(url({ path: `${name}/field` }), { method: "POST", headers, body });
    expect([response.status, await response.json()]).toEqual([
      200,
      [{ name: "field", type: "file", path: join(directory, "field") }],
    ]);
    expect(readFileSync(join(directory, "field"))).toEqual(bytes);
    const nameless = await fetch(url(), { method: "POST", headers, body });
    expect([nameless.status, await nameless.json()]).toEqual([
      400,
      { code: 400, message: "a part named 'file' has no file name" },
    ]);
    const large = new FormData();
    large.append("file", "x".repeat(9 * 1024 * 1024));
    expect((await fetch(url({ path: `${name}/large` }), { method: "POST", body: large })).status).toBe(413);
    expect(existsSync(join(directory, "large"))).toBe(false);
  });

  it("is there for commands", async () => {
    await put(`${name}/script.sh`, "echo from a file");
    expect((await run(daemon.process, `bash ${name}/script.sh`)).stdout).toBe("from a file\n");
  });
});

/** A download as it comes over the wire, with no header of a library's own. */
function raw(
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url({ path }), { headers }, async (response) => {
      const body = await response.toArray().catch(reject);
      if (body) resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(body) });
    });
    request.on("error", reject).end();
  });
}

/** Kilobytes of memory that the daemon holds. */
function memory(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]);
}
