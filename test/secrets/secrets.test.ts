import { readdirSync, readFileSync, statSync } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startRedisServer } from "@castellan/store/testing";
import { Sandbox } from "e2b";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

/** Larger files are a sandbox's disk. */
const largestFile = 8 * 1024 * 1024;

const fileContent = "secret-content-of-a-file";
const commandArgument = "secret-argument-of-a-command";

describe.runIf(canRunSandboxes)("the secrets of an installation", () => {
  let stack: Stack;
  let sandbox: Sandbox;
  /** By what they are called. */
  const secrets = new Map<string, string>();

  beforeAll(async () => {
    stack = await startStack({ env: { CASTELLAN_LOG: "trace", E2B_API_KEY: `e2b_${"a".repeat(40)}` } });
    const created = await request(stack, "POST", "/v2/sandboxes", {
      body: { templateID: "base", network: { allowPublicTraffic: false }, envVars: { OWN: "secret-of-the-sandbox" } },
    });
    expect(created.status).toBe(201);
    secrets.set("the API key", stack.apiKey);
    secrets.set("the cluster token", (await readFile(join(stack.data, "cluster-token"), "utf8")).trim());
    secrets.set("the access token", text(created.body, "envdAccessToken"));
    secrets.set("the traffic token", text(created.body, "trafficAccessToken"));
    secrets.set("the sandbox's own", "secret-of-the-sandbox");
    secrets.set("what a file holds", fileContent);
    secrets.set("a command's argument", commandArgument);
    const [manifest] = await manifests(stack.data);
    secrets.set("the daemon's control secret", /"daemonSecret":\s*"([0-9a-f]{64})"/.exec(manifest ?? "")?.[1] ?? "");
    for (const [name, secret] of secrets) expect(secret.length, name).toBeGreaterThan(15);
    sandbox = await Sandbox.connect(text(created.body, "sandboxID"), connectionOptions(stack));
    await useEverything(stack, sandbox);
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  /** The names of the secrets in a text. */
  const found = (content: string) =>
    [...secrets].filter(([, secret]) => content.includes(secret)).map(([name]) => name);

  test("are in no log, not even in the most talkative", () => {
    for (const service of ["castellan", "orchestrator"]) expect(stack.log()).toContain(`"service":"${service}`);
    expect(found(stack.log())).toEqual([]);
  });

  test("are on no command line and in no environment that the host's users could look at", () => {
    const leaks = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) =>
        ["cmdline", "environ"].flatMap((file) =>
          found(quietly(() => readFileSync(`/proc/${pid}/${file}`, "latin1"))).map((name) => `${name} in ${file}`),
        ),
      );
    expect(leaks).toEqual([]);
  });

  test("are not handed on by the environment of the control plane to the nodes, below which sandboxes run", () => {
    const nodes = readdirSync("/proc").filter(
      (pid) =>
        /^\d+$/.test(pid) &&
        quietly(() => readFileSync(`/proc/${pid}/status`, "utf8")).includes(`\nPPid:\t${stack.process.pid}\n`),
    );
    expect(nodes.length).toBeGreaterThan(0);
    for (const pid of nodes) {
      const names = readFileSync(`/proc/${pid}/environ`, "latin1")
        .split("\0")
        .map((entry) => entry.split("=", 1)[0]);
      expect(names).toContain("CASTELLAN_LOG");
      expect(names.filter((name) => name === "E2B_API_KEY" || name === "REDIS_URL")).toEqual([]);
    }
  });

  test("are in files that only root may read", async () => {
    const holders = new Map<string, string[]>();
    for await (const path of filesBelow(stack.data)) {
      const names = found(await readFile(path, "latin1").catch(() => ""));
      if (names.length > 0) holders.set(path, names);
    }
    expect([...holders.values()].flat()).toEqual(expect.arrayContaining(["the API key", "the cluster token"]));
    for (const path of holders.keys()) expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
  });

  test("are out of reach of root inside the sandbox, apart from those that are the sandbox's own", async () => {
    const halves = ["the API key", "the cluster token", "the daemon's control secret", "the access token"].map(
      (name) => {
        const secret = secrets.get(name) ?? "";
        return [name, secret.slice(0, 20), secret.slice(20)];
      },
    );
    // In halves, or the script would find itself.
    const script = `
import glob, os
wanted = {a + b: name for name, a, b in ${JSON.stringify(halves)}}
paths = glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline')
for top in ('/.castellan', '/etc', '/run', '/tmp', '/home', '/root', '/var', '/opt', '/dev/shm'):
    for folder, _, files in os.walk(top): paths += [os.path.join(folder, name) for name in files]
read = 0
for path in paths:
    try: content = open(path, 'rb').read(${largestFile}).decode('latin1')
    except OSError: continue
    read += 1
    for secret, name in wanted.items():
        if secret in content: print(name, path)
print('read', read > 100)
`;
    await sandbox.files.write("/root/look.py", script, { user: "root" });
    const { stdout } = await sandbox.commands.run("python3 /root/look.py", { user: "root" });
    expect(stdout).toBe("read True\n");
  });

  test("come back in no answer to who guesses them", async () => {
    const wrong = `${stack.apiKey.slice(0, -1)}${stack.apiKey.endsWith("0") ? "1" : "0"}`;
    const answer = await request({ ...stack, apiKey: wrong }, "GET", "/sandboxes");
    expect(answer.status).toBe(401);
    expect(JSON.stringify(answer.body)).not.toContain(wrong.slice(4, 20));
    for (const path of ["/sandboxes", `/sandboxes/${sandbox.sandboxId}/metadata`, "/nodes"]) {
      const names = found(JSON.stringify((await request(stack, "GET", path)).body));
      expect(names, path).toEqual([]);
    }
  });
});

describe.runIf(canRunSandboxes)("the password of the store", () => {
  test("is in no log, no answer, no file and on no command line, also when it is wrong", async () => {
    const password = "secret-password-of-redis";
    const redis = await startRedisServer();
    const admin = new Redis(redis.url);
    const withPassword = new URL(redis.url);
    withPassword.password = password;
    try {
      await admin.config("SET", "requirepass", password);
      const stack = await startStack({
        store: "redis",
        redis: { ...redis, url: withPassword.href },
        env: { CASTELLAN_LOG: "trace" },
      });
      try {
        // From now on its password is wrong, and every request of the store fails.
        expect((await request(stack, "GET", "/sandboxes")).status).toBe(200);
        await admin.config("SET", "requirepass", "another");
        await admin.client("KILL", "TYPE", "normal", "SKIPME", "yes");
        const failing = await request(stack, "GET", "/v2/sandboxes");
        expect(failing.status).toBeGreaterThanOrEqual(500);
        expect(JSON.stringify(failing.body)).not.toContain(password);
        await vi.waitFor(() => expect(stack.log()).toContain("WRONGPASS"), 10_000);
        expect(stack.log()).not.toContain(password);
        for await (const path of filesBelow(stack.data)) {
          expect([path, (await readFile(path, "latin1").catch(() => "")).includes(password)]).toEqual([path, false]);
        }
        for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
          expect(quietly(() => readFileSync(`/proc/${pid}/cmdline`, "latin1"))).not.toContain(password);
        }
        await admin.config("SET", "requirepass", password);
      } finally {
        admin.disconnect();
        await stack.dispose();
      }
    } finally {
      admin.disconnect();
      await redis.stop();
    }
  });
});

/** Every way by which a secret travels, also the ways that fail. */
async function useEverything(stack: Stack, sandbox: Sandbox): Promise<void> {
  const path = `/sandboxes/${sandbox.sandboxId}`;
  await sandbox.files.write("a.txt", fileContent);
  await sandbox.files.read("a.txt");
  await sandbox.commands.run(`echo ${commandArgument}`);
  await sandbox.commands.run(`false ${commandArgument}`).catch(() => undefined);
  await sandbox.files.write(`/proc/${commandArgument}`, fileContent).catch(() => undefined);
  await fetch(await sandbox.downloadUrl("a.txt", { useSignatureExpiration: 60 }));
  await fetch(await sandbox.downloadUrl("a.txt", { useSignatureExpiration: -60 }));
  await sandbox.commands.run("echo $OWN");
  await request(stack, "PATCH", `${path}/metadata`, { body: { a: "1" } });
  await request(stack, "PUT", `${path}/network`, { body: { denyOut: ["8.8.8.8"] } });
  await request(stack, "PUT", `${path}/network`, { body: { allowOut: ["nonsense"] } });
  await request(stack, "POST", `${path}/timeout`, { body: { timeout: 300 } });
  const headers = { "E2b-Sandbox-Id": sandbox.sandboxId, "E2b-Sandbox-Port": "49983" };
  await fetch(`${stack.sandboxUrl}/files?path=a.txt`, { headers: { ...headers, "X-Access-Token": "wrong" } });
  await fetch(`${stack.sandboxUrl}/`, { headers: { ...headers, "E2b-Sandbox-Port": "8080" } });
  const failing = await request(stack, "POST", "/v2/sandboxes", { body: { templateID: "none" } });
  if (failing.status < 400) throw new Error("there is a template of that name");
  const other = await request(stack, "POST", "/v2/sandboxes", { body: { templateID: "base", secure: true } });
  await request(stack, "DELETE", `/sandboxes/${text(other.body, "sandboxID")}`);
}

async function* filesBelow(directory: string): AsyncGenerator<string> {
  const { dev } = await lstat(directory);
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const path = join(directory, entry.name);
    const found = await lstat(path).catch(() => undefined);
    // What is mounted is a sandbox's own, or shared by all.
    if (found === undefined || found.dev !== dev) continue;
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && found.size <= largestFile) yield path;
  }
}

/** The nodes' records of what they run. */
async function manifests(data: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const path of filesBelow(join(data, "nodes"))) {
    const content = await readFile(path, "latin1").catch(() => "");
    if (content.includes("daemonSecret")) texts.push(content);
  }
  return texts;
}

function quietly(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

function text(body: unknown, name: string): string {
  if (typeof body !== "object" || body === null) throw new Error(`no ${name} in ${JSON.stringify(body)}`);
  return String(Object.entries(body).find(([key]) => key === name)?.[1]);
}
