import { lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CastellanError } from "@castellan/domain";
import { parseTemplateDescription, type Template, type TemplateDescription } from "./template.ts";

/** A folder below the templates' directory that could not be read as a template, and why. */
export interface BrokenTemplate {
  readonly templateId: string;
  readonly reason: string;
}

/** A build that its template no longer points at. */
export interface StaleBuild {
  readonly templateId: string;
  readonly buildId: string;
  /** Absolute path of the build's folder, which holds `rootfs`. */
  readonly path: string;
}

/** Unfinished builds: never a template, removed by the next build. */
export const stagingPrefix = ".building-";

const descriptionFile = "template.json";
/** Far above what 32 aliases take; a larger file is not one of ours. */
const maxDescriptionBytes = 64 * 1024;

/**
 * The templates below `dir`, by id. A broken one is reported and does not hide the others; a directory that does not
 * exist holds none.
 */
export async function listTemplates(
  dir: string,
): Promise<{ readonly templates: readonly Template[]; readonly broken: readonly BrokenTemplate[] }> {
  const templates: Template[] = [];
  const broken: BrokenTemplate[] = [];
  for (const templateId of await folders(dir)) {
    try {
      templates.push(await loadTemplate(dir, templateId));
    } catch (error) {
      // A template whose first build has not ended is not there yet; that is nothing to report.
      if (error instanceof CastellanError && error.code === "not_found") continue;
      broken.push({ templateId, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { templates, broken };
}

/**
 * The template with this id.
 * @throws `not_found` when there is none, `invalid_argument` when its description or root filesystem is unusable.
 */
export async function loadTemplate(dir: string, templateId: string): Promise<Template> {
  if (!/^[a-z0-9][a-z0-9_.-]{0,127}$/.test(templateId)) throw templateNotFound(templateId);
  const path = join(resolve(dir), templateId, descriptionFile);
  const description = parseTemplateDescription(await readDescription(path, templateId));
  if (description.templateId !== templateId) {
    throw new CastellanError("invalid_argument", `${path} describes another template, ${description.templateId}`);
  }
  const rootfs = join(resolve(dir), templateId, description.buildId, "rootfs");
  // A symbolic link would let the root filesystem be anywhere, the host's own included.
  const kind = await lstat(rootfs).catch(() => undefined);
  if (!kind?.isDirectory()) {
    throw new CastellanError("invalid_argument", `Template ${templateId} has no root filesystem at ${rootfs}`);
  }
  return { ...description, rootfs };
}

/**
 * The template with this id, else the one with this alias.
 * @throws `not_found`
 */
export async function resolveTemplate(dir: string, idOrAlias: string): Promise<Template> {
  const { templates } = await listTemplates(dir);
  const found =
    templates.find((template) => template.templateId === idOrAlias) ??
    templates.find((template) => template.aliases.includes(idOrAlias));
  if (found === undefined) throw templateNotFound(idOrAlias);
  return found;
}

/**
 * Makes a finished build the template's current one, in one step: readers see the old description or the new one.
 * The build's files must already be at `<dir>/<templateId>/<buildId>/rootfs`.
 * @throws `conflict` when the id or one of the aliases names another template.
 */
export async function registerTemplate(dir: string, description: TemplateDescription): Promise<Template> {
  parseTemplateDescription(JSON.stringify(description));
  const { templateId } = description;
  for (const other of (await listTemplates(dir)).templates) {
    if (other.templateId === templateId) continue;
    const taken = names(description).find((name) => names(other).includes(name));
    if (taken !== undefined) {
      throw new CastellanError("conflict", `The name ${taken} belongs to template ${other.templateId}`);
    }
  }
  const folder = join(resolve(dir), templateId);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const staged = join(folder, `.${descriptionFile}.${process.pid}`);
  const file = await open(staged, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(description, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(staged, join(folder, descriptionFile));
  return loadTemplate(dir, templateId);
}

/**
 * Builds that nothing points at any more. Sandboxes that were started from one may still use it, so removing them is
 * for whoever knows those: see `removeBuild`.
 */
export async function listStaleBuilds(dir: string): Promise<readonly StaleBuild[]> {
  const stale: StaleBuild[] = [];
  for (const template of (await listTemplates(dir)).templates) {
    const folder = join(resolve(dir), template.templateId);
    for (const buildId of await folders(folder)) {
      if (buildId === template.buildId || buildId.startsWith(".")) continue;
      stale.push({ templateId: template.templateId, buildId, path: join(folder, buildId) });
    }
  }
  return stale;
}

/**
 * Removes a stale build. The caller has made sure that no sandbox, running or paused, was started from it; a build that
 * is still part of a mount is refused all the same, because a live overlay would be left without its files.
 * @throws `conflict` when it is mounted.
 */
export async function removeBuild(build: StaleBuild): Promise<void> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  // Matches an overlay's lowerdir, a bind mount's root (which starts at its own file system, so no absolute path) and a
  // mount point alike; build ids do not repeat.
  if (mounts.includes(`/${build.templateId}/${build.buildId}/rootfs`)) {
    throw new CastellanError("conflict", `Build ${build.buildId} of template ${build.templateId} is still mounted`);
  }
  await rm(build.path, { recursive: true, force: true });
}

function names({ templateId, aliases }: TemplateDescription): readonly string[] {
  return [templateId, ...aliases];
}

async function readDescription(path: string, templateId: string): Promise<string> {
  const file = await open(path, "r").catch((cause: unknown) => {
    const missing = cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR");
    throw missing ? templateNotFound(templateId) : new CastellanError("internal", `Cannot read ${path}`, { cause });
  });
  try {
    const { size } = await file.stat();
    if (size > maxDescriptionBytes) throw new CastellanError("invalid_argument", `${path} is too large`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

async function folders(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function templateNotFound(name: string): CastellanError {
  return new CastellanError("not_found", `Template "${name.slice(0, 128).replace(/[^\x20-\x7e]|"/g, "?")}" not found`);
}
