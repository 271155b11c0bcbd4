import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@castellan/telemetry";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NodeConfig } from "./node-config.ts";
import { type SupervisedNode, superviseNode } from "./supervise.ts";

/** Stands for a node: notes its pid at every start, and how it was stopped. It reads its messages late on purpose. */
const program = `
  import { appendFileSync, writeFileSync } from "node:fs";
  const directory = process.env.SUPERVISE_TEST;
  appendFileSync(directory + "/pids", process.pid + "\\n");
  setTimeout(() => {
    process.on("message", (message) => {
      if (message.kind === "start") writeFileSync(directory + "/config", JSON.stringify(message.config));
      if (message.kind === "stop" && !process.env.SUPERVISE_STUBBORN) {
        writeFileSync(directory + "/stopped", JSON.stringify(message));
        process.exit(0);
      }
    });
    process.on("disconnect", () => {
      writeFileSync(directory + "/orphaned", "");
      process.exit(0);
    });
  }, 50);
`;

describe("a supervised node process", () => {
  let directory: string;
  let node: SupervisedNode | undefined;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "castellan-supervise-"));
    await writeFile(join(directory, "program.mjs"), program);
    vi.stubEnv("SUPERVISE_TEST", directory);
  });
  afterEach(async () => {
    node?.kill();
    node = undefined;
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  });

  const config: NodeConfig = {
    nodeId: "test-1",
    devicePrefix: "t1",
    subnet: "10.0.0.0/22",
    uidBase: 65_536,
    directory: "/nowhere",
    templatesDirectory: "/nowhere",
    tokenFile: "/nowhere",
    controlPlaneUrls: [],
    host: "127.0.0.1",
    port: 0,
    gatewayPort: 0,
    maxSandboxes: 1,
    isolations: ["runc"],
  };
  const supervise = (timing = {}): SupervisedNode => {
    const logger = createLogger("test", "silent");
    node = superviseNode({ config, logger, program: join(directory, "program.mjs"), timing });
    return node;
  };
  const pids = async () => {
    const path = join(directory, "pids");
    return existsSync(path) ? (await readFile(path, "utf8")).trim().split("\n").map(Number) : [];
  };
  const started = (times: number) => vi.waitFor(async () => expect(await pids()).toHaveLength(times), 10_000);
  const stopped = async (): Promise<unknown> => JSON.parse(await readFile(join(directory, "stopped"), "utf8"));

  it("gets its configuration, and the request to stop even when that comes before it reads", async () => {
    const supervised = supervise();
    expect(await supervised.stop({ stopSandboxes: true })).toBe(true);
    expect(await stopped()).toEqual({ kind: "stop", stopSandboxes: true });
    expect(JSON.parse(await readFile(join(directory, "config"), "utf8"))).toEqual(config);
    expect(await pids()).toHaveLength(1);
  });

  it("is started again when it crashes", async () => {
    const supervised = supervise({ backoffMs: 10 });
    for (let crash = 1; crash <= 2; crash += 1) {
      await started(crash);
      process.kill((await pids()).at(-1) ?? 0, "SIGKILL");
    }
    await started(3);
    expect(supervised.crashes()).toBe(2);
    expect(await supervised.stop({ stopSandboxes: false })).toBe(true);
    expect(await stopped()).toEqual({ kind: "stop", stopSandboxes: false });
    expect(await pids()).toHaveLength(3);
  });

  it("is started once more to end its sandboxes when it had crashed before the request to stop", async () => {
    const supervised = supervise({ backoffMs: 60_000, backoffMaxMs: 60_000 });
    await started(1);
    process.kill((await pids()).at(-1) ?? 0, "SIGKILL");
    await vi.waitFor(() => expect(supervised.crashes()).toBe(1), 10_000);
    expect(await supervised.stop({ stopSandboxes: true })).toBe(true);
    expect(await stopped()).toEqual({ kind: "stop", stopSandboxes: true });
  });

  it("is killed when it does not stop in time, and that is said", async () => {
    vi.stubEnv("SUPERVISE_STUBBORN", "1");
    const supervised = supervise({ stopMs: 500 });
    await started(1);
    expect(await supervised.stop({ stopSandboxes: false })).toBe(false);
  });
});
