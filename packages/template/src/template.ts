import { CastellanError } from "@castellan/domain";
import { z } from "zod";

const name = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,127}$/, "must be lower-case letters, digits, '-', '_' or '.'");

/** What stands in a `template.json`. Fields that a later version adds are kept out of the way, not refused. */
const descriptionSchema = z.object({
  schemaVersion: z.literal(1),
  templateId: name,
  aliases: z.array(name).max(32),
  cpuCount: z.int().min(1).max(256),
  memoryMb: z
    .int()
    .min(64)
    .max(1024 * 1024),
  diskMb: z
    .int()
    .min(64)
    .max(16 * 1024 * 1024),
  envdVersion: z.string().regex(/^\d+\.\d+\.\d+$/, "must look like 1.2.3"),
  source: z.string().max(256),
  buildHash: z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hex"),
  buildId: name,
  createdAt: z.iso.datetime(),
});

/** A template's settings as kept on disk. */
export interface TemplateDescription {
  readonly schemaVersion: 1;
  readonly templateId: string;
  /** Other names under which a sandbox can be created from it. */
  readonly aliases: readonly string[];
  readonly cpuCount: number;
  /** MiB */
  readonly memoryMb: number;
  /** MiB of a sandbox's writable layer. */
  readonly diskMb: number;
  /** Version of the daemon's protocol that its sandboxes speak. */
  readonly envdVersion: string;
  /** Where the files came from, in words: `debian:bookworm`. */
  readonly source: string;
  /** SHA-256 over everything that went into the build. */
  readonly buildHash: string;
  /** Names the folder of this build below the template's. */
  readonly buildId: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

/** A template that can be started from. */
export interface Template extends TemplateDescription {
  /** Absolute path of the root filesystem; its owners are the ids seen inside (0 to 65535). */
  readonly rootfs: string;
}

/**
 * Reads the text of a `template.json`.
 * @throws `invalid_argument` that says which field is wrong.
 */
export function parseTemplateDescription(text: string): TemplateDescription {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CastellanError("invalid_argument", "The template's description is not JSON", { cause });
  }
  const result = descriptionSchema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "description"}: ${issue.message}`);
    throw new CastellanError("invalid_argument", `The template's description is wrong: ${problems.join("; ")}`);
  }
  return result.data;
}
