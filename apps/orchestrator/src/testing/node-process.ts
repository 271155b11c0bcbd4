import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildBundle } from "@castellan/envd/bundle";
import { clusterToken } from "./test-node.ts";

const templatesDir = join(process.env["CASTELLAN_DATA"] ?? "/var/lib/castellan", "templates");

/** Why real sandboxes cannot run here; absent when they can. */
export const cannotRun =
  process.getuid?.() !== 0
    ? "needs root"
    : !existsSync(join(templatesDir, "base", "template.json"))
      ? "needs the base template: npm test builds it"
      : undefined;

const devicePrefix = "otst";
const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** A node as a process of its own, with real sandboxes. */
export interface NodeProcess {
  readonly address: string;
  readonly gatewayAddress: string;
  readonly child: ChildProcess;
  /** What it wrote to its log. */
  readonly log: () => string;
  /** Sends the signal and waits for the end; resolves to the exit code or the signal's name. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** Resolves once the node serves. `dir` is the node's for as long as its sandboxes are. */
export async function startNodeProcess(
  dir: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<NodeProcess> {
  const tokenFile = join(dir, "token");
  const bundle = join(dir, "envd.mjs");
  await writeFile(tokenFile, `${clusterToken}\n`, { mode: 0o600 });
  if (!existsSync(bundle)) await buildBundle(bundle);
  const child = spawn(process.execPath, ["--conditions=source", "--disable-warning=ExperimentalWarning", main], {
    env: {
      PATH: process.env["PATH"],
      CASTELLAN_NODE_ID: "process-test",
      CASTELLAN_STATE_DIR: join(dir, "state"),
      CASTELLAN_TEMPLATES_DIR: templatesDir,
      CASTELLAN_CLUSTER_TOKEN_FILE: tokenFile,
      CASTELLAN_DEVICE_PREFIX: devicePrefix,
      CASTELLAN_SUBNET: "10.246.0.0/24",
      CASTELLAN_UID_BASE: String(0x0a00_0000),
      CASTELLAN_DAEMON_BUNDLE: bundle,
      ...variables,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited = once(child, "exit").then(([code, signal]: unknown[]) => code ?? signal);
  const line = once(createInterface({ input: child.stdout }), "line");
  const first = await Promise.race([line, exited.then(() => undefined)]);
  if (first === undefined) throw new Error(`The node did not start:\n${log}`);
  const { address, gatewayAddress } = JSON.parse(String(first[0]));
  return {
    address,
    gatewayAddress,
    child,
    log: () => log,
    async end(signal) {
      child.kill(signal);
      const how = await exited;
      return typeof how === "number" ? how : signal;
    },
  };
}

/** What the test's nodes have on this machine. */
export function leftovers(): string[] {
  return readdirSync("/sys/class/net").filter((name) => name.startsWith(devicePrefix));
}
