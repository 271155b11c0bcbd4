import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { describeFailure } from "../failure.ts";
import { createProgram } from "../program.ts";

/** Requests as the service sees them, and what it answers to each. */
interface Exchange {
  readonly request: string;
  readonly body: unknown;
  readonly headers: IncomingMessage["headers"];
}
interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

describe("the commands that use the API", () => {
  let server: Server;
  let exchanges: Exchange[];
  let answers: Answer[];
  let stdout: string;
  let stderr: string;

  beforeEach(async () => {
    exchanges = [];
    answers = [];
    stdout = "";
    stderr = "";
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const body: unknown = text === "" ? undefined : JSON.parse(text);
      exchanges.push({ request: `${request.method} ${request.url}`, body, headers: request.headers });
      const answer = answers.shift() ?? { status: 500, body: { code: 500, message: "not expected" } };
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    vi.stubEnv("E2B_API_KEY", "e2b_00");
    vi.stubEnv("E2B_API_URL", `http://127.0.0.1:${address.port}`);
    vi.stubEnv("E2B_SANDBOX_URL", "");
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      stdout += String(text);
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });

  const run = async (...args: string[]): Promise<number> => {
    let exitCode = 0;
    const program = createProgram((code) => {
      exitCode = code;
    });
    try {
      await program.parseAsync(args, { from: "user" });
    } catch (error) {
      const failure = describeFailure(error);
      stderr += failure.text;
      return failure.exitCode;
    }
    return exitCode;
  };
  const listed = (id: string, metadata: Record<string, string> = {}) => ({
    sandboxID: id,
    templateID: "base",
    clientID: "c",
    startedAt: "2026-01-02T03:04:05.000006Z",
    endAt: "2026-01-02T03:09:05.000006Z",
    cpuCount: 1,
    memoryMB: 512,
    diskSizeMB: 1024,
    state: "running",
    envdVersion: "0.6.13",
    metadata,
  });

  it("ls reads every page and prints a line per sandbox", async () => {
    answers = [
      { status: 200, body: [listed("i2", { a: "1\t2" })], headers: { "x-next-token": "more" } },
      { status: 200, body: [listed("i1")] },
    ];
    expect(await run("sandbox", "ls")).toBe(0);
    const times = "2026-01-02T03:04:05.000006Z\t2026-01-02T03:09:05.000006Z";
    expect(stdout).toBe(`i2\tbase\trunning\t${times}\t{"a":"1\\t2"}\ni1\tbase\trunning\t${times}\t{}\n`);
    expect(exchanges.map(({ request }) => request)).toEqual([
      "GET /v2/sandboxes?limit=100",
      "GET /v2/sandboxes?limit=100&nextToken=more",
    ]);
    expect(exchanges[0]?.headers["x-api-key"]).toBe("e2b_00");
  });

  it("ls sends its filter encoded as the API decodes it", async () => {
    answers = [{ status: 200, body: [] }];
    expect(await run("sandbox", "ls", "--metadata", "a b=c", "--metadata", "d=e&f", "--json")).toBe(0);
    const query = new URL(exchanges[0]?.request.split(" ")[1] ?? "", "http://x").searchParams.get("metadata") ?? "";
    const pairs = decodeURIComponent(query).split("&");
    expect(pairs.map((pair) => pair.split("=").map(decodeURIComponent))).toEqual([
      ["a b", "c"],
      ["d", "e&f"],
    ]);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  it("create sends what it was told and prints nothing but the id", async () => {
    answers = [{ status: 201, body: { sandboxID: "i1", templateID: "base", clientID: "c", envdVersion: "0.6.13" } }];
    expect(await run("sandbox", "create", "--timeout", "60", "--metadata", "a=", "--metadata", "b=c=d")).toBe(0);
    expect(stdout).toBe("i1\n");
    expect(exchanges[0]).toMatchObject({
      request: "POST /sandboxes",
      body: { templateID: "base", timeout: 60, metadata: { a: "", b: "c=d" }, secure: true },
    });
  });

  it("kill goes on after one that is not there, and says so", async () => {
    answers = [{ status: 404, body: { code: 404, message: 'Sandbox "i1" does not exist' } }, { status: 204 }];
    expect(await run("sandbox", "kill", "i1", "i2")).toBe(1);
    expect(stdout).toBe("i2\n");
    expect(stderr).toBe('castellan: Sandbox "i1" does not exist\n');
  });

  const state = { metadata: { b: "2", a: "1" }, revision: 1795561946946186, appliedRevision: 1795561946946186 };

  it("metadata get prints a line per key, and with --json the exact revision too", async () => {
    answers = [
      { status: 200, body: state },
      { status: 200, body: state },
    ];
    expect(await run("metadata", "get", "i1")).toBe(0);
    expect(stdout).toBe("a\t1\nb\t2\n");
    stdout = "";
    expect(await run("metadata", "get", "i1", "--json")).toBe(0);
    expect(JSON.parse(stdout)).toEqual(state);
  });

  it("metadata set sends one edit, with the revision that it expects", async () => {
    answers = [{ status: 200, body: state }];
    expect(await run("metadata", "set", "i1", "a=1", "old-", "--if-match", '"1795561946946186"')).toBe(0);
    expect(exchanges[0]).toMatchObject({ request: "PATCH /sandboxes/i1/metadata", body: { a: "1", old: null } });
    expect(exchanges[0]?.headers["if-match"]).toBe('"1795561946946186"');
    expect(stderr).toBe("");
  });

  it("metadata set says when the node has not confirmed yet, and when the revision was another", async () => {
    answers = [
      { status: 202, body: { ...state, appliedRevision: 1 } },
      { status: 412, body: { code: 412, message: "no" } },
    ];
    expect(await run("metadata", "set", "i1", "a=1")).toBe(0);
    expect(stderr).toMatch(/committed.*not confirmed it yet/);
    expect(await run("metadata", "set", "i1", "a=1", "--if-match", "5")).toBe(1);
    expect(stderr).toMatch(/Nothing was changed: the metadata no longer has the revision 5/);
  });

  const change = (revision: number, delta: Record<string, string | null>, kind = "edited") => ({
    time: "2026-01-01T00:00:00.000000Z",
    revision,
    kind,
    delta,
    apiKeyID: "key",
  });

  it("metadata history prints a line per change, newest first, that cannot steer the terminal", async () => {
    const changes = [change(9, { a: null, b: "2\u001b[2J" }), change(5, { a: "1" }, "created")];
    answers = [
      { status: 200, body: { changes, oldestRevision: 5 } },
      { status: 200, body: { changes } },
    ];
    expect(await run("metadata", "history", "i1", "--limit", "7")).toBe(0);
    expect(exchanges[0]?.request).toBe("GET /sandboxes/i1/metadata/history?limit=7");
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^2026-01-01T00:00:00.000000Z\t9\tedited\tkey\ta- b=2/);
    expect(stdout).not.toContain("\u001b");
    expect(lines[1]).toBe("2026-01-01T00:00:00.000000Z\t5\tcreated\tkey\ta=1");
    stdout = "";
    expect(await run("metadata", "history", "i1", "--json")).toBe(0);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).revision),
    ).toEqual([9, 5]);
    expect(await run("metadata", "history", "i1", "--limit", "0")).toBe(1);
  });

  it("metadata watch prints what changes from now on, in order, until the sandbox has ended", async () => {
    answers = [
      { status: 200, body: state },
      {
        status: 200,
        body: {
          changes: [
            change(state.revision + 2, { b: null }),
            change(state.revision + 1, { a: "2" }),
            change(state.revision, {}),
          ],
        },
      },
      { status: 404, body: { code: 404, message: "gone" } },
      { status: 404, body: { code: 404, message: "gone" } },
    ];
    expect(await run("metadata", "watch", "i1")).toBe(0);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ").slice(1).join(" ")),
    ).toEqual([`${state.revision + 1} a=2`, `${state.revision + 2} b-`]);
  });

  it("an argument that makes no sense is refused before anything is sent", async () => {
    expect(await run("metadata", "set", "i1", "nonsense")).toBe(1);
    expect(await run("metadata", "set", "i1", "a=1", "--if-match", "x")).toBe(1);
    expect(await run("sandbox", "create", "--timeout", "-1")).toBe(1);
    expect(await run("sandbox", "ls", "--metadata", "a")).toBe(1);
    expect(exchanges).toEqual([]);
  });

  it("a refusal by the service is told in its words, and cannot steer the terminal", async () => {
    answers = [
      { status: 401, body: { code: 401, message: "no such key" } },
      { status: 429, body: { code: 429, message: "full\u001b[2J" }, headers: { "retry-after": "7" } },
    ];
    expect(await run("sandbox", "ls")).toBe(1);
    expect(stderr).toMatch(/The API key was refused: no such key/);
    stderr = "";
    expect(await run("sandbox", "create")).toBe(1);
    expect(stderr).toBe("full\\x1b[2J\nTry again in 7 s.");
  });

  it("a service that is not there is named, and exec says so with its own exit code", async () => {
    vi.stubEnv("E2B_API_URL", "http://127.0.0.1:1");
    expect(await run("sandbox", "ls")).toBe(1);
    expect(stderr).toMatch(/http:\/\/127\.0\.0\.1:1 cannot be reached\.\nIs `castellan up` running/);
    expect(await run("sandbox", "exec", "i1", "--", "ls", "-la")).toBe(255);
  });

  it("exec refuses a sandbox that is paused", async () => {
    answers = [{ status: 200, body: { ...listed("i1"), state: "paused" } }];
    expect(await run("sandbox", "exec", "i1", "true")).toBe(255);
    expect(stderr).toBe("Sandbox i1 is paused.");
  });
});
