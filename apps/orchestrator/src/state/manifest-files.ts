import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { type SandboxManifest, SandboxManifestSchema } from "@castellan/contracts/sandbox";
import type { Logger } from "@castellan/telemetry";
import { z } from "zod";

/** What the node keeps of one execution beside its live fields. */
export interface KeptManifest {
  /** As the start brought it. Its live fields are the seeds; what is current stands in the journal. */
  readonly manifest: SandboxManifest;
  /** What the daemon in the sandbox takes control calls for. */
  readonly daemonSecret: string;
}

/** One file of mode 0600 per execution, by execution id, in a directory of mode 0700: they hold tokens. */
export class ManifestFiles {
  readonly #dir: string;
  readonly #logger: Logger;

  constructor(dir: string, logger: Logger) {
    this.#dir = dir;
    this.#logger = logger;
  }

  /** Everything that can be read; a file that cannot is logged and left alone. */
  async readAll(): Promise<Map<string, KeptManifest>> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const kept = new Map<string, KeptManifest>();
    for (const name of await readdir(this.#dir)) {
      const path = join(this.#dir, name);
      if (name.startsWith(draftPrefix)) {
        await rm(path, { force: true });
        continue;
      }
      try {
        const { manifest, daemonSecret } = fileSchema.parse(JSON.parse(await readFile(path, "utf8")));
        kept.set(name.replace(/\.json$/, ""), { manifest: fromJson(SandboxManifestSchema, manifest), daemonSecret });
      } catch (error) {
        this.#logger.error({ err: error, path }, "cannot read a manifest");
      }
    }
    return kept;
  }

  /** Complete or not at all. */
  async write({ manifest, daemonSecret }: KeptManifest): Promise<void> {
    const draft = join(this.#dir, `${draftPrefix}${manifest.executionId}`);
    const json = { version: 1, daemonSecret, manifest: toJson(SandboxManifestSchema, manifest) };
    try {
      const file = await open(draft, "w", 0o600);
      try {
        await file.writeFile(`${JSON.stringify(json)}\n`);
      } finally {
        await file.close();
      }
      await rename(draft, this.#path(manifest.executionId));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async remove(executionId: string): Promise<void> {
    await rm(this.#path(executionId), { force: true });
  }

  #path(executionId: string): string {
    return join(this.#dir, `${executionId}.json`);
  }
}

const draftPrefix = ".draft-";
const fileSchema = z.object({ version: z.literal(1), daemonSecret: z.string(), manifest: z.json() });
