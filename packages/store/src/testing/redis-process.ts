import { spawn } from "node:child_process";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** One running `redis-server`. */
export interface RedisProcess {
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. Idempotent. */
  end(): Promise<void>;
}

const startTimeoutMs = 10_000;

/** Starts it and waits until it answers. It is killed when the thread that started it ends in whatever way. */
export async function startRedisProcess(
  port: number,
  settings: Readonly<Record<string, string>>,
  further: readonly string[],
): Promise<RedisProcess> {
  const all = { port: String(port), bind: "127.0.0.1", save: "", daemonize: "no", ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "redis-server", ...args, ...further], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4000);
    });
  }
  let gone = false;
  const exited = new Promise<Error>((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code) => resolve(new Error(`redis-server ended with ${code}:\n${output}`)));
  }).then((reason) => {
    gone = true;
    return reason;
  });
  const { pid } = child;
  if (pid === undefined) throw await exited;

  const running: RedisProcess = {
    pid,
    signal(name) {
      if (!gone) process.kill(pid, name);
    },
    async end() {
      running.signal("SIGKILL");
      await exited;
    },
  };
  const early = exited.then((reason) => Promise.reject(reason));
  early.catch(() => undefined);
  try {
    await Promise.race([early, answering(port, pid, settings["cluster-enabled"] === "yes")]);
    return running;
  } catch (error) {
    await running.end();
    throw error;
  }
}

async function answering(port: number, pid: number, cluster: boolean): Promise<void> {
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: () => 20 });
  redis.on("error", () => undefined);
  try {
    const deadline = performance.now() + startTimeoutMs;
    while (!(await isThis(redis, pid))) {
      if (performance.now() > deadline) throw new Error(`redis-server does not answer on port ${port}`);
      await sleep(20);
    }
    if (cluster) await ownAllSlots(redis, deadline);
  } finally {
    redis.disconnect();
  }
}

/** Another server may be answering on the port. */
async function isThis(redis: Redis, pid: number): Promise<boolean> {
  try {
    if (redis.status === "wait" || redis.status === "end") await redis.connect();
    return (await redis.info("server")).includes(`process_id:${pid}\r`);
  } catch {
    return false;
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
