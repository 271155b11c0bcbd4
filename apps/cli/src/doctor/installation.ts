import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@castellan/client";
import { openStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { describeFailure, Failure } from "../failure.ts";
import type { UpSettings } from "../settings.ts";
import { checkDataDirectory, dataDirectoryAt } from "../up/data-directory.ts";
import { type Holder, readHolder } from "../up/instance-lock.ts";
import { listenOn } from "../up/ports.ts";
import { castellanVersion, pinnedNodeVersion } from "../version.ts";
import { type Finding, note, ok, problem } from "./finding.ts";

export function examineVersions(): readonly Finding[] {
  const { node } = process.versions;
  const pinned = pinnedNodeVersion();
  const fix = "npm run castellan -- doctor, which uses the one that comes with the npm packages; npm ci brings it";
  const runtime =
    pinned === undefined || node.split(".")[0] !== pinned.split(".")[0]
      ? problem("node", `${node}, made for ${pinned ?? "the pinned one, which is not installed"}`, fix)
      : ok("node", node);
  return [ok("castellan", castellanVersion()), runtime];
}

/** The data directory, and whether an installation runs on it. */
export async function examineInstallation(
  settings: UpSettings,
): Promise<{ readonly holder: Holder | undefined; readonly findings: readonly Finding[] }> {
  const data = dataDirectoryAt(settings.dataDirectory);
  const holder = await readHolder(data.runningFile);
  const running =
    holder === undefined
      ? note("running", `no installation runs on ${data.path}`)
      : ok("running", `process ${holder.pid}${holder.url === undefined ? ", starting" : ` at ${holder.url}`}`);
  return { holder, findings: [await examineDirectory(data.path), running] };
}

async function examineDirectory(path: string): Promise<Finding> {
  try {
    const there = await checkDataDirectory(path);
    return ok("data directory", there ? path : `${path}, which the first start makes`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return problem("data directory", error.message, error.fix ?? "choose another with --data or CASTELLAN_DATA");
  }
}

/** Which store is in force, and what an acknowledged write survives in it. */
export async function examineStore(settings: UpSettings, holder: Holder | undefined): Promise<Finding> {
  const inForce = holder?.url === undefined ? undefined : await askDurability(holder.url);
  if (inForce !== undefined) return ok("store", inForce);
  const logger = createLogger("doctor", "silent");
  // Looking must not change the installation's own file: a new one tells the same.
  const scratch = await mkdtemp(join(tmpdir(), "castellan-doctor-"));
  try {
    const store = await openStore(settings.redisUrl ?? `sqlite:${join(scratch, "store.db")}`, { logger });
    try {
      return ok("store", store.describe().durability);
    } finally {
      await store.close();
    }
  } catch (error) {
    const fix =
      settings.redisUrl === undefined
        ? "use the pinned Node: npm run castellan -- doctor"
        : "start Redis with appendonly yes and maxmemory-policy noeviction, or unset REDIS_URL to use SQLite";
    return problem("store", describeFailure(error).text, fix);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function askDurability(apiUrl: string): Promise<string | undefined> {
  // The health of a service is no secret: no key is needed.
  const { api } = createClient({ apiUrl, apiKey: "", timeoutMs: 2_000 });
  const answer = await api.GET("/health").catch(() => undefined);
  return answer?.data?.store.durability;
}

/** Whether the ports of the API and of the registry are free, or taken by the installation itself. */
export async function examinePorts(settings: UpSettings, holder: Holder | undefined): Promise<readonly Finding[]> {
  const { host, port, registryHost, registryPort } = settings;
  const own = holder?.url !== undefined && new URL(holder.url).port === String(port);
  if (own) return [ok("port", `${host}:${port} is this installation's`)];
  const api = await examinePort("port", host, port, "--port");
  // Without one that was asked for, `up` takes the next free one.
  if (registryPort === undefined) return [api];
  return [api, await examinePort("registry port", registryHost, registryPort, "--registry-port")];
}

async function examinePort(name: string, host: string, port: number, option: string): Promise<Finding> {
  const server = createServer();
  try {
    await listenOn(server, host, port, option);
    return ok(name, `${host}:${port} is free`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return problem(name, error.message, error.fix ?? `choose another with ${option}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
