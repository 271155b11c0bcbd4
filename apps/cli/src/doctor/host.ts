import { access, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bundlePath } from "@castellan/envd/bundle";
import { probeHost } from "@castellan/runtime";
import { listTemplates } from "@castellan/template";
import type { UpSettings } from "../settings.ts";
import { baseTemplate, probedGvisor } from "../up/preflight.ts";
import { type Finding, note, ok, problem, warning } from "./finding.ts";

/** What this machine can do: asked, and tried where asking is not enough. */
export async function examineHost(settings: UpSettings): Promise<readonly Finding[]> {
  const directory = await existingPart(settings.dataDirectory);
  const checks = await probeHost({ directory, ...probedGvisor(settings) });
  const findings = checks.map(({ name, ok: passed, severity, detail, fix }): Finding => {
    if (passed) return ok(name, detail);
    if (detail.includes("must be root")) return problem(name, "not tried: needs root", "run as root");
    return severity === "required" ? problem(name, detail, fix) : warning(name, detail, fix);
  });
  const bundled = await access(bundlePath).then(
    () => ok("sandbox daemon", "built"),
    () => problem("sandbox daemon", "not built", "npm run bundle -w @castellan/envd (npm start does it too)"),
  );
  return [...findings, bundled, isolation(settings)];
}

/** What stands between sandboxes and this machine. */
function isolation({ isolations }: UpSettings): Finding {
  const words = {
    runc: "runc: own users, network, disk and limits, over this machine's kernel",
    gvisor: "gvisor: the same, over a kernel of its own; slower, without sudo, and out of memory ends the sandbox",
  };
  const offered = isolations.map((name) => words[name]).join("; ");
  return note("isolation", isolations.includes("gvisor") ? offered : `${offered}; --isolation gvisor offers more`);
}

/** What is left for somebody who is not root, and how to get the rest; nothing for root. */
export function examineWithoutRoot(): readonly Finding[] {
  if (process.getuid?.() === 0) return [];
  return [
    note(
      "without root",
      "works here: driving an installation elsewhere (castellan sandbox, castellan metadata, every E2B client), " +
        "the API and the edge for nodes on other machines (apps/api and apps/proxy, which README names), and npm test, " +
        'which skips what starts sandboxes. For sandboxes on this machine: sudo env "PATH=$PATH" npm start',
    ),
  ];
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
