import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Filesystem } from "@castellan/contracts/filesystem";
import { Process } from "@castellan/contracts/process";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";

/** Whether tests can start processes as another user. */
export const isRoot = process.getuid?.() === 0;

/** A daemon in a process of its own, with accounts, homes and pipes of its own below a temporary directory. */
export interface TestDaemon {
  readonly url: string;
  readonly pid: number;
  /** The only directory that the tests of this daemon write to. */
  readonly directory: string;
  /** Home of `user`, who is this test's own user when it is not root. */
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
  readonly initSecret: string;
  readonly process: Client<typeof Process>;
  readonly filesystem: Client<typeof Filesystem>;
  /** What the daemon has logged, a line each. */
  readonly log: readonly string[];
  transport(options?: { binary?: boolean; headers?: Record<string, string> }): Transport;
  init(body: unknown, secret?: string): Promise<Response>;
  stop(): Promise<void>;
}

/** Starts a daemon from the sources, or from `entry`. Whoever starts it stops it. */
export async function startTestDaemon(
  options: { entry?: string; env?: Record<string, string>; withoutInit?: boolean } = {},
): Promise<TestDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "envd-test-"));
  chmodSync(directory, 0o755);
  const [uid, gid] = isRoot ? [21_001, 21_001] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const home = join(directory, "home", "user");
  mkdirSync(home, { recursive: true });
  chownSync(home, uid, gid);
  const etc = join(directory, "etc");
  mkdirSync(etc);
  const other = isRoot
    ? `other:x:21002:21002::${directory}/home/other:/bin/sh\nroot:x:0:0:root:${directory}:/bin/bash\n`
    : "";
  writeFileSync(join(etc, "passwd"), `user:x:${uid}:${gid}:User:${home}:/bin/bash\n${other}`);
  writeFileSync(join(etc, "group"), `user:x:${gid}:\n${isRoot ? "extra:x:21027:user\n" : ""}`);

  const initSecret = randomBytes(16).toString("hex");
  const child = spawn(
    process.execPath,
    options.entry ? [options.entry] : ["--conditions=source", fileURLToPath(new URL("../main.ts", import.meta.url))],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env["PATH"],
        CASTELLAN_ENVD_HOST: "127.0.0.1",
        CASTELLAN_ENVD_PORT: "0",
        CASTELLAN_ENVD_ETC: etc,
        ...(!options.withoutInit && { CASTELLAN_INIT_SHA256: createHash("sha256").update(initSecret).digest("hex") }),
        ...options.env,
      },
    },
  );
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const giveUp = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(giveUp);
    }
    rmSync(directory, { recursive: true, force: true });
  };

  const log: string[] = [];
  let port: number;
  try {
    port = await listeningPort(child, log);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  const transport: TestDaemon["transport"] = ({ binary = false, headers = {} } = {}) =>
    createConnectTransport({
      baseUrl: url,
      httpVersion: "1.1",
      useBinaryFormat: binary,
      interceptors: [sending(headers)],
    });
  return {
    url,
    pid: child.pid ?? 0,
    directory,
    home,
    uid,
    gid,
    initSecret,
    log,
    process: createClient(Process, transport()),
    filesystem: createClient(Filesystem, transport()),
    transport,
    init: (body, secret = initSecret) =>
      fetch(`${url}/init`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}` },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    stop,
  };
}

/** The header that names a request's user. */
export function as(user: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:`).toString("base64")}` };
}

function sending(headers: Record<string, string>): Interceptor {
  return (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
}

function listeningPort(child: ChildProcess, log: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`the daemon ended: ${log.join("\n")}`)));
    if (!child.stderr) throw new Error("the daemon has no standard error");
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      const port = /"port":(\d+).*"listening"/.exec(line)?.[1];
      if (port) resolve(Number(port));
    });
  });
}
