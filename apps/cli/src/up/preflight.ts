import { access } from "node:fs/promises";
import { bundlePath } from "@castellan/envd/bundle";
import { probeHost } from "@castellan/runtime";
import { listTemplates } from "@castellan/template";
import { Failure } from "../failure.ts";
import { runscOf } from "../node/isolation.ts";
import type { IsolationSettings } from "../settings.ts";

/** The template that every installation has. */
export const baseTemplate = "base";

/** @throws Failure unless this process may do what sandboxes need. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Failure("Starting sandboxes needs root: mounts, namespaces and a firewall.", {
    fix: 'Run it as root, for example with: sudo env "PATH=$PATH" npm start',
  });
}

/**
 * Looks at everything without which no sandbox would start, before anything is started.
 * @param directory where the state will be.
 * @throws Failure that lists what is missing, with the fix for each.
 */
export async function requireHost(directory: string, settings: IsolationSettings): Promise<void> {
  const missing = (await probeHost({ directory, ...probedGvisor(settings) })).filter(
    ({ ok, severity }) => !ok && severity === "required",
  );
  if (missing.length > 0) {
    throw new Failure("This machine cannot run sandboxes yet:", {
      fix: missing.map(({ name, detail, fix }) => `  ${name}: ${detail}. Fix: ${fix}`).join("\n"),
    });
  }
  await access(bundlePath).catch((cause: unknown) => {
    throw new Failure("The sandboxes' daemon is not built.", {
      fix: "Build it with: npm run bundle -w @castellan/envd (npm start does it too)",
      cause,
    });
  });
}

/** What the probe is to try of gVisor. */
export function probedGvisor(settings: IsolationSettings): { readonly gvisor?: { readonly program: string } } {
  return settings.isolations.includes("gvisor") ? { gvisor: { program: runscOf(settings) ?? "runsc" } } : {};
}

/** @throws Failure unless the base template is among the templates. */
export async function requireTemplate(templatesDirectory: string): Promise<void> {
  const { templates, broken } = await listTemplates(templatesDirectory);
  if (templates.some(({ templateId, aliases }) => [templateId, ...aliases].includes(baseTemplate))) return;
  const reason = broken.find(({ templateId }) => templateId === baseTemplate)?.reason;
  throw new Failure(
    reason === undefined
      ? `There is no base template in ${templatesDirectory}.`
      : `The base template in ${templatesDirectory} cannot be used: ${reason}.`,
    { fix: "`npm start` builds it, in about a minute." },
  );
}
