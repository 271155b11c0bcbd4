import { join } from "node:path";
import { createSandboxRuntime, type RuntimeOptions } from "@castellan/runtime";
import { templateDirectory } from "@castellan/template";
import type { OrchestratorOptions } from "./options.ts";
import { createOrchestrator, type Orchestrator } from "./orchestrator.ts";

/** What a node with real sandboxes is put together from. */
export interface NodeComposition
  extends Omit<OrchestratorOptions, "stateDir" | "runtime" | "templates">,
    Pick<RuntimeOptions, "devicePrefix" | "subnet" | "uidBase" | "daemon" | "runsc"> {
  /** Absolute path; the node keeps its own state in `node` and the runtime's in `runtime` below it. */
  readonly directory: string;
  readonly templatesDirectory: string;
}

/**
 * Puts a node together: the runtime, the templates on disk, and the orchestrator over both. It does not listen yet.
 * @throws `CastellanError` when an option makes no sense or the runtime cannot prepare the host.
 */
export async function composeNode(composition: NodeComposition): Promise<Orchestrator> {
  const { directory, templatesDirectory, devicePrefix, subnet, uidBase, daemon, runsc, ...options } = composition;
  const stateDir = join(directory, "runtime");
  const { isolations, logger } = options;
  const runtime = await createSandboxRuntime({
    stateDir,
    devicePrefix,
    subnet,
    uidBase,
    daemon,
    ...(isolations === undefined ? {} : { isolations }),
    ...(runsc === undefined ? {} : { runsc }),
    logger,
  });
  try {
    const templates = templateDirectory(templatesDirectory);
    return createOrchestrator({ ...options, stateDir: join(directory, "node"), runtime, templates });
  } catch (error) {
    await runtime.close({ stopAll: false });
    throw error;
  }
}
