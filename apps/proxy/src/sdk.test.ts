import type { RequestListener } from "node:http";
import { Sandbox, TimeoutError } from "e2b";
import { expect, test } from "vitest";
import { executionId, type Rig, sandboxId, startRig, until } from "./testing/rig.ts";
import { TokenList } from "./testing/signing.ts";

const apiKey = "e2b_0123456789abcdef";

/** As much of the API as creating a sandbox takes. */
const api: RequestListener = (request, response) => {
  request.resume();
  const created = { templateID: "base", sandboxID: sandboxId, clientID: "x", envdVersion: "0.6.13", domain: null };
  response.writeHead(201, { "Content-Type": "application/json" }).end(JSON.stringify(created));
};

/** As much of the daemon as these tests take: a file that echoes, and a command that says one thing and goes on. */
function daemon(seen: string[]): RequestListener {
  return (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    expect(request.headers["x-api-key"]).toBeUndefined();
    if (request.url === "/health") response.writeHead(204).end();
    else if (request.url?.startsWith("/files")) response.end("content");
    else {
      request.resume();
      response.writeHead(200, { "Content-Type": "application/connect+json" });
      response.write(envelope({ event: { start: { pid: 7 } } }));
      response.write(envelope({ event: { data: { stdout: Buffer.from("hello").toString("base64") } } }));
    }
  };
}

function envelope(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

test("the published client's signed URLs find their sandbox over one origin", async () => {
  const seen: string[] = [];
  const list = new TokenList();
  list.fill(20);
  list.add(sandboxId, "secret-of-the-test");
  const secureApi: RequestListener = (request, response) => {
    request.resume();
    const created = { templateID: "base", sandboxID: sandboxId, clientID: "x", envdVersion: "0.6.13", domain: null };
    const body = JSON.stringify({ ...created, envdAccessToken: "secret-of-the-test" });
    response.writeHead(201, { "Content-Type": "application/json" }).end(body);
  };
  const rig = await startRig({ api: secureApi, liveTokens: list.list, ports: { 49983: daemon(seen) } });
  const sandbox = await Sandbox.create({ apiKey, apiUrl: rig.url, sandboxUrl: rig.url });
  for (const opts of [{}, { useSignatureExpiration: 60 }, { user: "root", useSignatureExpiration: 60 }]) {
    const download = await sandbox.downloadUrl("notes/über 1+1.txt", opts);
    expect(await (await fetch(download)).text()).toBe("content");
    const upload = await sandbox.uploadUrl("a.txt", opts);
    const form = new FormData();
    form.append("file", "content");
    expect((await fetch(upload, { method: "POST", body: form })).status).toBe(200);
    expect((await fetch(await sandbox.uploadUrl(undefined, opts), { method: "POST", body: "content" })).status).toBe(
      200,
    );
  }
  expect(seen.filter((one) => one.startsWith("POST /files?"))).toHaveLength(6);
  const expired = await fetch(await sandbox.downloadUrl("a.txt", { useSignatureExpiration: -10 }));
  expect(await expired.json()).toEqual({ code: 401, message: "signature is already expired" });
});

async function create(rig: Rig): Promise<Sandbox> {
  return await Sandbox.create({ apiKey, apiUrl: rig.url, sandboxUrl: rig.url, secure: false });
}

test("the published client reads a file, and sees whether its sandbox runs, over one origin", async () => {
  const seen: string[] = [];
  const rig = await startRig({ api, ports: { 49983: daemon(seen) } });
  const sandbox = await create(rig);
  expect(await sandbox.files.read("/etc/hostname")).toBe("content");
  expect(await sandbox.isRunning()).toBe(true);
  rig.gateway.kill(executionId);
  rig.routes.delete(sandboxId);
  expect(await sandbox.isRunning()).toBe(false);
  await expect(sandbox.files.read("/etc/hostname")).rejects.toThrow(TimeoutError);
  expect(seen.at(-1)).toBe("GET /health");
});

test("the published client sees output as it comes, and a kill as the end of its sandbox", async () => {
  const rig = await startRig({ api, ports: { 49983: daemon([]) } });
  const sandbox = await create(rig);
  let output = "";
  const command = await sandbox.commands.run("sleep 100", {
    background: true,
    onStdout: (text) => {
      output += text;
    },
  });
  const ended = expect(command.wait()).rejects.toThrow(TimeoutError);
  await until("the first output", () => output === "hello");
  rig.routes.delete(sandboxId);
  rig.gateway.kill(executionId);
  await ended;
});
