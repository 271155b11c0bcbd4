import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { hasCode } from "@castellan/domain";
import { currentCgroupLayout } from "../cgroup/layout.ts";
import { loopDevicesOver } from "../disk/loop-device.ts";
import { commandsOf } from "../host/command.ts";
import { mountPointsBelow } from "../host/mounts.ts";
import { commandsStartedFor } from "../host/process.ts";
import { createSandboxRuntime, type ExecutionSpec, type RuntimeOptions, type SandboxRuntime } from "../index.ts";
import { tableName } from "../network/ruleset.ts";
import { testRootfs } from "./test-rootfs.ts";

/** A node's place on the machine; test files run at the same time, so each has its own. */
export interface Place {
  readonly devicePrefix: string;
  /** 0 to 15: which part of the test network and of the test ids. */
  readonly part: number;
}

export const silent = { debug() {}, info() {}, warn() {}, error() {} };

export function optionsAt(place: Place, more: Partial<RuntimeOptions> = {}): RuntimeOptions {
  return {
    stateDir: join(tmpdir(), `castellan-runtime-test-${place.devicePrefix}`),
    devicePrefix: place.devicePrefix,
    subnet: `10.241.${place.part * 16}.0/20`,
    uidBase: 0x4000_0000 + place.part * 0x100_0000,
    daemon: {
      nodeBinary: process.execPath,
      bundle: fileURLToPath(new URL("daemon.mjs", import.meta.url)),
      init: "/usr/bin/tini-static",
    },
    logger: silent,
    ...more,
  };
}

/** The runsc that set-up fetches for tests, unless `CASTELLAN_RUNSC` names another. */
export const testRunsc =
  process.env["CASTELLAN_RUNSC"] ?? fileURLToPath(new URL("../../../../.castellan/gvisor/runsc", import.meta.url));

/** A runtime with nothing left of an earlier run. */
export async function startNode(options: RuntimeOptions): Promise<SandboxRuntime> {
  await mkdir(options.stateDir, { recursive: true, mode: 0o711 });
  const runtime = await createSandboxRuntime(options);
  for (const { executionId } of await runtime.recover()) await runtime.stop(executionId);
  return runtime;
}

export async function endNode(runtime: SandboxRuntime, options: RuntimeOptions): Promise<void> {
  await runtime.close({ stopAll: true });
  await rm(options.stateDir, { recursive: true, force: true });
}

export async function specFor(executionId: string, more: Partial<ExecutionSpec> = {}): Promise<ExecutionSpec> {
  return {
    sandboxId: `s-${executionId}`,
    executionId,
    rootfs: await testRootfs(),
    resources: { cpuCount: 2, memoryMb: 512, diskMb: 256 },
    hostname: "sandbox",
    egress: { allowOut: [], denyOut: [] },
    allowInternet: true,
    env: {},
    ...more,
  };
}

export interface ScriptResult {
  /** Exit code, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell script inside, once the daemon listens. */
export async function runInside(
  runtime: SandboxRuntime,
  executionId: string,
  script: string,
  uid = 0,
): Promise<ScriptResult> {
  const socket = await connectWhenListening(runtime, executionId, 49983);
  const body = await new Promise<string>((resolve, reject) => {
    const options = {
      method: "POST",
      path: `/?uid=${uid}`,
      createConnection: () => socket,
      headers: { host: "daemon" },
    };
    const sent = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(script);
  });
  return JSON.parse(body) as ScriptResult;
}

export async function connectWhenListening(runtime: SandboxRuntime, executionId: string, port: number) {
  for (const deadline = performance.now() + 90_000; ; ) {
    try {
      return await runtime.connect(executionId, port);
    } catch (error) {
      if (!hasCode(error, "unavailable") || performance.now() > deadline) throw error;
      await sleep(5);
    }
  }
}

/** Everything on the host that belongs to the node; empty lists when nothing does. */
export async function belongings(options: RuntimeOptions) {
  const { stateDir, devicePrefix } = options;
  const table = tableName(devicePrefix);
  const ruleset = await commandsOf("/nonexistent")("nft", ["list", "tables"]);
  const entries = (path: string) => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  };
  const directories = (path: string) => {
    try {
      return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    } catch {
      return [];
    }
  };
  return {
    mounts: mountPointsBelow(stateDir),
    loops: loopDevicesOver(stateDir),
    links: readdirSync("/sys/class/net").filter((name) => name.startsWith(`${devicePrefix}-`)),
    tables: ruleset.split("\n").filter((line) => line.endsWith(` ${table}`)),
    cgroups: currentCgroupLayout().trees.flatMap((tree) => directories(join(tree, `castellan-${devicePrefix}`))),
    executions: directories(join(stateDir, "executions")),
    containers: ["runc", "runsc"].flatMap((name) => entries(join(stateDir, name))),
    commands: (await commandsStartedFor(stateDir)).map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, "latin1")),
  };
}

export const nothing = {
  mounts: [],
  loops: [],
  links: [],
  tables: [],
  cgroups: [],
  executions: [],
  containers: [],
  commands: [],
};
