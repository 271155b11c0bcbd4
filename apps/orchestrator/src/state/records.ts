import { crc32 } from "node:zlib";
import { z } from "zod";

const revision = z.int().min(0);
const id = z.string().min(1).max(64);

const metadata = z.object({ revision, entries: z.array(z.tuple([z.string(), z.string()])) });
const endTime = z.object({
  revision,
  /** Microseconds since 1970, the store's clock. */
  endAt: z.int(),
  /** Milliseconds since 1970, this machine's clock: where counting goes on after a restart of the process. */
  dueAt: z.number(),
});
const egress = z.object({ revision, allowOut: z.array(z.string()), denyOut: z.array(z.string()) });

/** Why an execution ended; the names of the contract's `DeletionCause`. */
export const deletionCauses = ["requested", "expired", "exited", "start_failed", "shutdown"] as const;
const cause = z.enum(deletionCauses);

const recordSchema = z.discriminatedUnion("kind", [
  /** First of every file. */
  z.object({ kind: z.literal("log"), version: z.int() }),
  /** Numbers that only grow. */
  z.object({
    kind: z.literal("node"),
    epoch: revision.optional(),
    highestRevision: revision.optional(),
    nextSequence: z.int().optional(),
  }),
  /** An execution is being started. */
  z.object({ kind: z.literal("starting"), sandboxId: id, executionId: id, generation: z.int() }),
  /** It has been seeded and may be seen. */
  z.object({ kind: z.literal("running"), sandboxId: id, executionId: id }),
  /**
   * Fields of a sandbox at new revisions; the epoch and execution with which they came are for people. A snapshot has
   * the highest generation here, which outlives its execution.
   */
  z.object({
    kind: z.literal("live"),
    sandboxId: id,
    executionId: id.optional(),
    epoch: revision.optional(),
    generation: z.int().optional(),
    metadata: metadata.optional(),
    endTime: endTime.optional(),
    egress: egress.optional(),
  }),
  /** An execution ended; `at` in milliseconds since 1970. */
  z.object({ kind: z.literal("deleted"), sandboxId: id, executionId: id, sequence: z.int(), cause, at: z.number() }),
  /** Deletions up to this sequence have reached the store. */
  z.object({ kind: z.literal("acknowledged"), to: z.int() }),
  /** An execution that was never here, and by promise never will be. */
  z.object({ kind: z.literal("refused"), executionId: id, at: z.number() }),
]);

/** One line of the state log. */
export type StateRecord = z.infer<typeof recordSchema>;
export type LiveRecord = Extract<StateRecord, { kind: "live" }>;
export type DeletionCauseName = (typeof deletionCauses)[number];

/** Version of the log's format; a file of a later one is not read. */
export const logVersion = 1;

/** `<CRC-32 of the JSON, 8 hex digits> <JSON>\n`; JSON never holds a line feed. */
export function encodeRecord(record: StateRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

/** The record of a line without its line feed, or `undefined` when the line is damaged. */
export function decodeRecord(line: string): StateRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== " " || checksum(json) !== line.slice(0, 8)) return undefined;
  try {
    return recordSchema.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}
