import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type RedisServer, startRedisServer } from "@castellan/store/testing";
import type { Dice } from "./dice.ts";
import { type Link, startLink } from "./link.ts";
import { type MessageRelay, startMessageRelay } from "./message-relay.ts";
import type { ApiSettings } from "./processes/api.ts";
import type { NodeSettings } from "./processes/node.ts";
import { ServiceProcess } from "./service-process.ts";

export interface Installation {
  readonly store: "sqlite" | "redis";
  readonly apis: readonly { readonly url: string; readonly process: ServiceProcess; readonly storeLink?: Link }[];
  readonly nodes: readonly {
    readonly nodeId: string;
    /** Past the links. */
    readonly url: string;
    readonly process: ServiceProcess;
    readonly link: Link;
    readonly relay?: MessageRelay;
  }[];
  readonly redis?: RedisServer;
  readonly apiKey: string;
  readonly clusterToken: string;
  /** Logs of the processes are here. */
  readonly directory: string;
  dispose(): Promise<void>;
}

export interface InstallationOptions {
  readonly store: "sqlite" | "redis";
  readonly dice: Dice;
  /** Real sandboxes instead of none. */
  readonly real: boolean;
  /** Default `always`. */
  readonly appendfsync?: "always" | "everysec";
}

/** Clear of the ports that the system gives to connections: a process must get its own again after a kill. */
const ports = [23_000, 23_999] as const;

/** Two nodes, and two API processes over Redis or one over SQLite, with links between all of them. */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { store, dice, real } = options;
  const directory = await mkdtemp(join(tmpdir(), "castellan-robustness-"));
  await chmod(directory, 0o711);
  const clusterToken = randomBytes(24).toString("hex");
  const apiKey = `e2b_${randomBytes(20).toString("hex")}`;
  const keyHash = createHash("sha256").update(apiKey).digest("hex");
  const cleanUps: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  try {
    const redis =
      store === "redis"
        ? await startRedisServer({ appendonly: true, appendfsync: options.appendfsync ?? "always" })
        : undefined;
    if (redis) cleanUps.push(() => redis.stop());

    const apis: Installation["apis"][number][] = [];
    const registries: string[] = [];
    for (let number = 1; number <= (redis ? 2 : 1); number += 1) {
      const [port, registryPort] = [await freePort(ports), await freePort(ports)];
      const storeLink = redis && (await startLink(redis.port, dice.part(`store ${number}`), true));
      if (storeLink) cleanUps.push(() => storeLink.close());
      const settings: ApiSettings = {
        store: storeLink ? `redis://127.0.0.1:${storeLink.port}` : `sqlite:${join(directory, "store.db")}`,
        clusterToken,
        port,
        registryPort,
        keyHash,
      };
      const process = new ServiceProcess(`api-${number}`, "api", settings, join(directory, `api-${number}.log`));
      cleanUps.push(() => process.end());
      await process.start();
      registries.push(`http://127.0.0.1:${registryPort}`);
      apis.push({ url: `http://127.0.0.1:${port}`, process, ...(storeLink && { storeLink }) });
    }

    const nodes: Installation["nodes"][number][] = [];
    for (const number of [1, 2]) {
      const nodeId = `node-${number}`;
      const port = await freePort(ports);
      // Messages to the second one can come twice and in another order.
      const relay = number === 2 ? await startMessageRelay(port, clusterToken, dice.part(nodeId)) : undefined;
      if (relay) cleanUps.push(() => relay.close());
      const link = await startLink(relay?.port ?? port, dice.part(`link ${number}`));
      cleanUps.push(() => link.close());
      const settings: NodeSettings = {
        nodeId,
        directory: join(directory, nodeId),
        clusterToken,
        registries,
        port,
        advertise: `127.0.0.1:${link.port}`,
        ...(real ? { real: number } : {}),
      };
      const process = new ServiceProcess(nodeId, "node", settings, join(directory, `${nodeId}.log`));
      cleanUps.push(() => process.end("SIGTERM"));
      await process.start();
      nodes.push({ nodeId, url: `http://127.0.0.1:${port}`, process, link, ...(relay && { relay }) });
    }
    return {
      store,
      apis,
      nodes,
      ...(redis && { redis }),
      apiKey,
      clusterToken,
      directory,
      dispose: () => disposeAll(cleanUps),
    };
  } catch (error) {
    await disposeAll(cleanUps);
    throw error;
  }
}

async function disposeAll(cleanUps: (() => Promise<unknown>)[]): Promise<void> {
  for (let cleanUp = cleanUps.pop(); cleanUp !== undefined; cleanUp = cleanUps.pop()) await cleanUp();
}
