// One node, with failpoints, over real sandboxes or without containers. Its only argument is its settings as JSON.
import { join } from "node:path";
import { CastellanError } from "@castellan/domain";
import { bundlePath } from "@castellan/envd/bundle";
import { createOrchestrator, type OrchestratorOptions } from "@castellan/orchestrator";
import { createSandboxRuntime } from "@castellan/runtime";
import { createLogger, surviveStrayGoodbyes } from "@castellan/telemetry";
import { templateDirectory } from "@castellan/template";
import { templatesDirectory } from "../../support/stack.ts";
import { DiskRuntime } from "./disk-runtime.ts";
import { failpointsOnOrder } from "./failpoint-hook.ts";

export interface NodeSettings {
  readonly nodeId: string;
  readonly directory: string;
  readonly clusterToken: string;
  readonly registries: readonly string[];
  readonly port: number;
  /** host:port by which the control plane reaches it. */
  readonly advertise: string;
  /** Real sandboxes; what the node uses of its machine is made from this number. */
  readonly real?: number;
}

const settings: NodeSettings = JSON.parse(process.argv[2] ?? "{}");
const logger = createLogger(settings.nodeId, "warn");
surviveStrayGoodbyes(logger);
const orchestrator = createOrchestrator({
  ...(await parts()),
  nodeId: settings.nodeId,
  stateDir: join(settings.directory, "node"),
  clusterToken: settings.clusterToken,
  controlPlaneUrls: settings.registries,
  rpc: { port: settings.port, advertise: settings.advertise },
  capacity: { sandboxes: 1_000, memoryOvercommit: 1_000 },
  failpoints: failpointsOnOrder(),
  logger,
});
await orchestrator.listen();
process.on("SIGTERM", () => {
  void orchestrator.close({ stopSandboxes: true }).then(() => process.exit(0));
});
process.send?.({ ready: true });

async function parts(): Promise<Pick<OrchestratorOptions, "runtime" | "templates">> {
  const { real, directory } = settings;
  if (real !== undefined) {
    const runtime = await createSandboxRuntime({
      stateDir: join(directory, "runtime"),
      devicePrefix: `rob${real}`,
      subnet: `10.24${real}.0.0/22`,
      uidBase: 0x1500_0000 + real * 0x0100_0000,
      daemon: { nodeBinary: process.execPath, bundle: bundlePath, init: "/usr/bin/tini-static" },
      logger,
    });
    return { runtime, templates: templateDirectory(templatesDirectory) };
  }
  const resources = { cpuCount: 1, memoryMb: 64, diskMb: 64 };
  return {
    runtime: await DiskRuntime.open(join(directory, "runtime")),
    templates: {
      list: () => [{ templateId: "base", aliases: [], resources, envdVersion: "0.6.13" }],
      rootfs: (name) => {
        if (name === "base") return "/nonexistent";
        throw new CastellanError("not_found", `Template "${name}" not found`);
      },
    },
  };
}
