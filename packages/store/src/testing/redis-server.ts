import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** A real Redis server in a process and a directory of its own, for tests. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Where it keeps what it saves. */
  readonly directory: string;
  readonly pid: number;
  /** SIGKILL; the directory stays. */
  kill(): Promise<void>;
  /** Stops answering, without closing connections, until `resume`. */
  suspend(): void;
  resume(): void;
  /** Starts it again after `kill`, on the same port and directory. */
  restart(): Promise<void>;
  /** Ends it and removes its directory. Idempotent. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Default false: nothing survives the process. */
  readonly appendonly?: boolean;
  /** Default `everysec`. */
  readonly appendfsync?: "always" | "everysec" | "no";
  /** One node of a cluster that owns every slot, where a script that leaves its slot fails. */
  readonly cluster?: boolean;
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
  /** First and last port to choose from; default 22000 to 22999. */
  readonly ports?: readonly [number, number];
}

const startTimeoutMs = 10_000;

/** Starts Debian's `redis-server` on a free port of loopback. The test that starts it stops it. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-redis-"));
  try {
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort(options.ports ?? [22_000, 22_999]);
      try {
        return await launch(port, directory, options);
      } catch (error) {
        // Somebody else may have taken the port in between.
        if (attempt === 5) throw error;
      }
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function launch(port: number, directory: string, options: RedisServerOptions): Promise<RedisServer> {
  let child = await startProcess(port, directory, options);
  const onExit = () => {
    // The test process ends without having stopped it.
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", onExit);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    directory,
    get pid() {
      return child.pid ?? 0;
    },
    kill: () => end(child),
    suspend: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async restart() {
      await end(child);
      child = await startProcess(port, directory, options);
    },
    async stop() {
      process.off("exit", onExit);
      await end(child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startProcess(port: number, directory: string, options: RedisServerOptions): Promise<ChildProcess> {
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir: directory,
    save: "",
    appendonly: options.appendonly ? "yes" : "no",
    appendfsync: options.appendfsync ?? "everysec",
    daemonize: "no",
    ...(options.cluster && { "cluster-enabled": "yes", "cluster-port": String(await freePort([23_000, 23_999])) }),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn("redis-server", [...args, ...(options.args ?? [])], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4000);
    });
  }
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}:\n${output}`)));
  });
  failed.catch(() => undefined);
  try {
    await Promise.race([failed, answering(port, child, options.cluster === true)]);
    return child;
  } catch (error) {
    await end(child);
    throw error;
  }
}

async function answering(port: number, child: ChildProcess, cluster: boolean): Promise<void> {
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: () => 20 });
  redis.on("error", () => undefined);
  try {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      try {
        if (redis.status === "wait" || redis.status === "end") await redis.connect();
        const info = await redis.info("server");
        // Another server may be answering there.
        if (info.includes(`process_id:${child.pid}\r`)) break;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
      if (performance.now() > deadline) throw new Error(`Another server answers on port ${port}`);
      await sleep(20);
    }
    if (cluster) await ownAllSlots(redis, deadline);
  } finally {
    redis.disconnect();
  }
}

async function ownAllSlots(redis: Redis, deadline: number): Promise<void> {
  await redis.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383").catch((error: Error) => {
    // After a restart it has them already.
    if (!error.message.includes("already busy")) throw error;
  });
  while (!String(await redis.call("CLUSTER", "INFO")).includes("cluster_state:ok")) {
    if (performance.now() > deadline) throw new Error("The cluster does not come up");
    await sleep(20);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function freePort([first, last]: readonly [number, number]): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(first, last + 1);
    if (await canListen(port)) return port;
  }
  throw new Error(`No free port between ${first} and ${last}`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
