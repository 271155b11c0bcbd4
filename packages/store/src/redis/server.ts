import { CastellanError } from "@castellan/domain";
import type { Redis } from "ioredis";
import { list, text } from "../decoding.ts";

/** What a server says about itself. */
export interface ServerFacts {
  readonly info: ReadonlyMap<string, string>;
  /** `always`, `everysec`, `no`, or `unknown`. */
  readonly appendFsync: string;
}

export async function serverFacts(redis: Redis): Promise<ServerFacts> {
  return { info: parseInfo(await redis.info()), appendFsync: await appendFsync(redis) };
}

export function parseInfo(info: string): ReadonlyMap<string, string> {
  const lines = info.split("\r\n").flatMap((line) => {
    const colon = line.indexOf(":");
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
  });
  return new Map(lines);
}

/** Names the incarnation: new whenever the server's process starts. */
export function runIdOf(facts: ServerFacts): string {
  return facts.info.get("run_id") ?? "";
}

/** @throws `internal` when the server cannot keep what this store promises; the message says how to mend it. */
export function checkServer(facts: ServerFacts): void {
  const [major, minor] = versionOf(facts);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new CastellanError("internal", `Redis ${major}.${minor} is too old: Castellan needs 6.2 or newer`);
  }
  const policy = facts.info.get("maxmemory_policy") ?? "noeviction";
  if (policy !== "noeviction") {
    throw new CastellanError(
      "internal",
      `This Redis may drop keys when its memory is full (maxmemory-policy ${policy}): Castellan needs noeviction`,
    );
  }
  if (facts.info.get("role") === "slave") {
    throw new CastellanError("unavailable", "This Redis is a replica; Castellan needs the primary");
  }
}

/** Whether scripts may say what they need in their first line. */
export function takesStrictScripts(facts: ServerFacts): boolean {
  return versionOf(facts)[0] >= 7;
}

/** Which of the specification's modes is in force, in words. */
export function durabilityOf(facts: ServerFacts): string {
  const replicas = Number(facts.info.get("connected_slaves") ?? "0");
  const mode = appendOnly(facts);
  return replicas > 0 ? `${mode}; with replicas, a fail-over can lose acknowledged writes` : mode;
}

function versionOf(facts: ServerFacts): [major: number, minor: number] {
  const [major = 0, minor = 0] = (facts.info.get("redis_version") ?? "0").split(".").map(Number);
  return [major, minor];
}

/** Unknown where the server does not let clients ask. */
async function appendFsync(redis: Redis): Promise<string> {
  try {
    return text(list(await redis.config("GET", "appendfsync"))[1]);
  } catch {
    return "unknown";
  }
}

function appendOnly(facts: ServerFacts): string {
  if (facts.info.get("aof_enabled") !== "1") {
    return "Redis, appendonly no: a restart of the Redis server loses what it has not saved";
  }
  switch (facts.appendFsync) {
    case "always":
      return "Redis, appendfsync always: an acknowledged write survives kill and power loss as far as the disk honours fsync";
    case "everysec":
      return "Redis, appendfsync everysec: up to about 1 s of acknowledged writes can be lost with the Redis host";
    case "no":
      return "Redis, appendfsync no: the operating system decides how much can be lost with the Redis host";
    default:
      return "Redis, appendonly yes: how much can be lost with the Redis host depends on appendfsync, which it does not tell";
  }
}
