import { access, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bundlePath } from "@castellan/envd/bundle";
import { probeHost } from "@castellan/runtime";
import { listTemplates } from "@castellan/template";
import { baseTemplate } from "../up/preflight.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** What this machine can do: asked, and tried where asking is not enough. */
export async function examineHost(dataDirectory: string): Promise<readonly Finding[]> {
  const checks = await probeHost({ directory: await existingPart(dataDirectory) });
  const findings = checks.map(({ name, ok: passed, severity, detail, fix }): Finding => {
    if (passed) return ok(name, detail);
    if (detail.includes("must be root")) return problem(name, "not tried: needs root", "run as root");
    return severity === "required" ? problem(name, detail, fix) : warning(name, detail, fix);
  });
  const bundled = await access(bundlePath).then(
    () => ok("sandbox daemon", "built"),
    () => problem("sandbox daemon", "not built", "npm run bundle -w @castellan/envd (npm start does it too)"),
  );
  return [...findings, bundled];
}

/** Which templates there are, and what is wrong with those that cannot be used. */
export async function examineTemplates(dataDirectory: string): Promise<readonly Finding[]> {
  const directory = join(dataDirectory, "templates");
  let listed: Awaited<ReturnType<typeof listTemplates>>;
  try {
    listed = await listTemplates(directory);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [problem("templates", `${directory} cannot be read: ${reason}`, "run this as root")];
  }
  const { templates, broken } = listed;
  const names = templates.map(({ templateId, source }) => `${templateId} (${source})`);
  const hasBase = templates.some(({ templateId, aliases }) => [templateId, ...aliases].includes(baseTemplate));
  const present = hasBase
    ? ok("templates", names.join(", "))
    : problem("templates", `no base template in ${directory}`, "npm start builds it, in about a minute");
  const damaged = broken.map(({ templateId, reason }) =>
    warning("templates", `${templateId} cannot be used: ${reason}`, `remove ${join(directory, templateId)}`),
  );
  return [present, ...damaged];
}

/** The deepest directory on the way to `path` that is there: it is on the disk that counts. */
async function existingPart(path: string): Promise<string> {
  for (let candidate = path; ; candidate = dirname(candidate)) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isDirectory() || candidate === "/") return candidate;
  }
}
