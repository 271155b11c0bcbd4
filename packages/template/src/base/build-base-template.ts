import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CastellanError } from "@castellan/domain";
import { endCommandsFor, noSpaceLeft } from "../command.ts";
import { lockFile } from "../file-lock.ts";
import type { Template, TemplateDescription } from "../template.ts";
import { listTemplates, loadTemplate, registerTemplate, stagingPrefix } from "../template-store.ts";
import { configure } from "./configure.ts";
import { installDebian } from "./debian.ts";
import { findPinnedNode, installNode } from "./node-runtime.ts";
import { type OnProgress, part } from "./progress.ts";
import { baseSettings, recipe } from "./recipe.ts";

export interface BuildOptions {
  /** The templates' directory; made when missing, for root only. */
  readonly dir: string;
  readonly onProgress?: OnProgress;
  /** Ends the build; what it had made is removed. */
  readonly signal?: AbortSignal;
  /** Address of a Debian mirror; Debian's own when absent. */
  readonly mirror?: string;
  /** Build even if the present one matches the recipe: for Debian's security updates. */
  readonly rebuild?: boolean;
}

/** Bytes: the result takes 700 MB, its packages another 150 MB while it is built. */
const neededBytes = 1.5e9;

/**
 * Makes sure that the template `base` exists and matches the recipe, building it (about a minute, 150 MB to download)
 * only when it does not. A build appears complete or not at all; the previous one stays on disk for the sandboxes that
 * use it (see `listStaleBuilds`). Two calls at once, in any processes: the second waits and finds the first one's.
 *
 * @throws `permission_denied` when not root, `unavailable` when a tool, the network or disk space is missing,
 * `cancelled` on abort.
 */
export async function buildBaseTemplate(
  options: BuildOptions,
): Promise<{ readonly template: Template; readonly built: boolean }> {
  const dir = resolve(options.dir);
  const onProgress = options.onProgress ?? (() => undefined);
  if (process.getuid?.() !== 0) {
    throw new CastellanError("permission_denied", "Building a template needs root: its files have many owners");
  }
  const node = await findPinnedNode();
  const buildHash = await baseBuildHash();

  await mkdir(dir, { recursive: true, mode: 0o700 });
  const lock = await lockFile(join(dir, ".build.lock"), options.signal, () =>
    onProgress(0, "Waiting for another build of it"),
  );
  try {
    const present = options.rebuild ? undefined : await currentBuild(dir, buildHash);
    if (present !== undefined) return { template: present, built: false };

    const home = join(dir, baseSettings.templateId);
    await endCommandsFor(home);
    await removeUnfinished(home);
    await requireSpace(dir);
    const buildId = `${buildHash.slice(0, 12)}-${Date.now().toString(36)}`;
    const staging = join(home, `${stagingPrefix}${buildId}`);
    try {
      await mkdir(staging, { recursive: true, mode: 0o700 });
      const rootfs = join(staging, "rootfs");
      const cancel = options.signal === undefined ? {} : { signal: options.signal };
      const mirror = options.mirror === undefined ? {} : { mirror: options.mirror };
      await installDebian({ rootfs, onProgress: part(onProgress, 0, 0.94), ...mirror, ...cancel });
      onProgress(0.94, `Adding Node ${node.version}`);
      await installNode(rootfs, node, options.signal);
      onProgress(0.98, "Adding the user");
      await configure(rootfs, options.signal);
      await rename(staging, join(home, buildId));
      const template = await registerTemplate(dir, description(buildHash, buildId));
      onProgress(1, "Done");
      return { template, built: true };
    } catch (error) {
      const full = await fullDisk(dir, error);
      for (const name of [staging, join(home, buildId)]) await rm(name, { recursive: true, force: true });
      throw full ?? error;
    }
  } finally {
    await lock.release();
  }
}

/** SHA-256 over all that decides the files of a build made now, in hex. */
export async function baseBuildHash(): Promise<string> {
  const { version } = await findPinnedNode();
  return createHash("sha256")
    .update(JSON.stringify(recipe(version)))
    .digest("hex");
}

/** The present base template if its files match; its settings follow the recipe without a build. */
async function currentBuild(dir: string, buildHash: string): Promise<Template | undefined> {
  const { templates } = await listTemplates(dir);
  const present = templates.find((template) => template.templateId === baseSettings.templateId);
  if (present === undefined || present.buildHash !== buildHash) return undefined;
  const { rootfs: _, ...kept } = present;
  const wanted = { ...description(buildHash, present.buildId), createdAt: present.createdAt };
  if (JSON.stringify(sorted(kept)) === JSON.stringify(sorted(wanted))) return present;
  await registerTemplate(dir, wanted);
  return loadTemplate(dir, baseSettings.templateId);
}

function description(buildHash: string, buildId: string): TemplateDescription {
  return { schemaVersion: 1, ...baseSettings, buildHash, buildId, createdAt: new Date().toISOString() };
}

function sorted(value: TemplateDescription): unknown {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What a killed build left; we hold the lock, so nobody is working on it. */
async function removeUnfinished(home: string): Promise<void> {
  for (const name of await readdir(home).catch(() => [])) {
    if (name.startsWith(stagingPrefix)) await rm(join(home, name), { recursive: true, force: true });
  }
}

async function requireSpace(dir: string): Promise<void> {
  const free = await freeBytes(dir);
  if (free >= neededBytes) return;
  throw new CastellanError(
    "unavailable",
    `${dir} has ${inMb(free)} free; building the base template needs ${inMb(neededBytes)}`,
  );
}

/** What to say instead of a tool's own words when the disk ran full during the build; undefined when it did not. */
async function fullDisk(dir: string, cause: unknown): Promise<CastellanError | undefined> {
  const said = cause instanceof Error ? cause.message : "";
  const isFull = said.includes(noSpaceLeft) || /ENOSPC|have enough free space/.test(said);
  if (!isFull && (await freeBytes(dir)) > almostFull) return undefined;
  const message = `${dir} ran full while the base template was built, which needs ${inMb(neededBytes)}; nothing of it is left`;
  return new CastellanError("unavailable", message, { cause });
}

/** Bytes with which no step of a build gets on. */
const almostFull = 4e6;

async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

function inMb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
