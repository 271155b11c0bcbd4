import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RedisServer, startRedisServer } from "@castellan/store/testing";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Where `npm test` has built the base template; the stacks of the tests share it, read-only. */
export const templatesDirectory = join(process.env["CASTELLAN_DATA"] ?? "/var/lib/castellan", "templates");

/** Sandboxes need root and the base template. `npm test` builds the template first, so its absence is a failure. */
export const canRunSandboxes = process.getuid?.() === 0;

export interface StackOptions {
  readonly store?: "sqlite" | "redis";
  readonly nodes?: number;
  /** Further arguments of `castellan up`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A data directory to start on again; a new temporary one by default. */
  readonly data?: string;
  readonly port?: number;
  readonly redis?: RedisServer;
}

/** A whole installation, started the way a user does: `castellan up` in a process of its own. */
export interface Stack {
  readonly apiKey: string;
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  readonly data: string;
  readonly port: number;
  readonly process: ChildProcess;
  readonly redis: RedisServer | undefined;
  /** Everything it wrote to standard error so far. */
  log(): string;
  /** Sends the signal and waits for the end; answers the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Ends it as Ctrl-C does, and removes its data and its Redis. */
  dispose(): Promise<void>;
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  if (!existsSync(templatesDirectory)) {
    throw new Error(`There is no base template in ${templatesDirectory}: run npm test, which builds it`);
  }
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "castellan-stack-")));
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (!existsSync(join(data, "templates"))) await symlink(templatesDirectory, join(data, "templates"));
  const redis = options.store === "redis" ? (options.redis ?? (await startRedisServer())) : undefined;
  const port = options.port ?? (await freePort());
  const child = spawn(
    process.execPath,
    [
      "--conditions=source",
      "--disable-warning=ExperimentalWarning",
      join(repository, "apps/cli/src/main.ts"),
      "up",
      "--port",
      String(port),
      "--data",
      data,
      "--nodes",
      String(options.nodes ?? 1),
      ...(options.args ?? []),
    ],
    {
      cwd: repository,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...(redis ? { REDIS_URL: redis.url } : {}), ...options.env },
    },
  );
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const printed = await readVariables(child, ended, () => log);

  const end = async (signal: NodeJS.Signals = "SIGINT"): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return await ended;
  };
  return {
    apiKey: printed("E2B_API_KEY"),
    apiUrl: printed("E2B_API_URL"),
    sandboxUrl: printed("E2B_SANDBOX_URL"),
    data,
    port,
    process: child,
    redis,
    log: () => log,
    end,
    async dispose() {
      await end();
      await redis?.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago, on loopback. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}

async function readVariables(
  child: ChildProcess,
  ended: Promise<number | null>,
  log: () => string,
): Promise<(name: string) => string> {
  let output = "";
  const complete = new Promise<void>((resolve) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (/^E2B_SANDBOX_URL=.*\n/m.test(output)) resolve();
    });
  });
  const deadline = AbortSignal.timeout(60_000);
  const late = new Promise<never>((_, reject) => {
    deadline.addEventListener("abort", () => reject(new Error(`It did not start within 60 s:\n${log()}`)));
  });
  const early = ended.then((code) => {
    throw new Error(`It ended with ${code} before it was ready:\n${log()}`);
  });
  early.catch(() => undefined);
  late.catch(() => undefined);
  await Promise.race([complete, early, late]);
  return (name) => {
    const value = new RegExp(`^${name}=(.*)$`, "m").exec(output)?.[1];
    if (value === undefined) throw new Error(`${name} was not printed:\n${output}`);
    return value;
  };
}
