import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "./free-port.ts";
import { type RedisProcess, startRedisProcess } from "./redis-process.ts";

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

const defaultPorts = [22_000, 22_999] as const;

/** Starts Debian's `redis-server` on a free port of loopback. The test that starts it stops it. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "castellan-redis-"));
  try {
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort(options.ports ?? defaultPorts);
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
  const start = async () => startRedisProcess(port, await settings(directory, options), options.args ?? []);
  let running: RedisProcess = await start();
  // The test process ends without having stopped it. (If it is killed, the server is killed with it.)
  const onExit = () => {
    running.signal("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", onExit);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    directory,
    get pid() {
      return running.pid;
    },
    kill: () => running.end(),
    suspend: () => running.signal("SIGSTOP"),
    resume: () => running.signal("SIGCONT"),
    async restart() {
      await running.end();
      running = await start();
    },
    async stop() {
      process.off("exit", onExit);
      await running.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function settings(directory: string, options: RedisServerOptions): Promise<Record<string, string>> {
  return {
    dir: directory,
    appendonly: options.appendonly ? "yes" : "no",
    appendfsync: options.appendfsync ?? "everysec",
    ...(options.cluster && {
      "cluster-enabled": "yes",
      "cluster-port": String(await freePort(options.ports ?? defaultPorts)),
    }),
  };
}
