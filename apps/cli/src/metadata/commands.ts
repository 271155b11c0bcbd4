import { ApiError, type CastellanClient, type PatchOptions } from "@castellan/client";
import type { MetadataDelta } from "@castellan/domain";
import { Failure } from "../failure.ts";
import type { ResultSink } from "../terminal/table.ts";
import { showMetadata } from "./show.ts";

export interface MetadataOutput {
  readonly json: boolean;
  readonly stdout: ResultSink;
  readonly stderr: ResultSink;
}

/** `castellan metadata get`. On a terminal the revision is told too; programs find it in the JSON. */
export async function getMetadata(client: CastellanClient, sandboxId: string, output: MetadataOutput): Promise<void> {
  const state = await client.metadata.get(sandboxId);
  showMetadata(state, { json: output.json, sink: output.stdout });
  if (output.stdout.isTTY === true && !output.json) output.stderr.write(`revision ${state.revision}\n`);
}

/**
 * `castellan metadata set`: one edit, all of it or nothing, and the metadata as it left it.
 * @param options as those of the client.
 */
export async function setMetadata(
  client: CastellanClient,
  sandboxId: string,
  edits: MetadataDelta,
  options: Pick<PatchOptions, "ifRevision" | "idempotencyKey">,
  output: MetadataOutput,
): Promise<void> {
  const result = await client.metadata.patch(sandboxId, Object.fromEntries(edits), options).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 412) {
      throw new Failure(`Nothing was changed: the metadata no longer has the revision ${options.ifRevision}.`, {
        fix: `See what it is now with: castellan metadata get ${sandboxId} --json`,
        cause: error,
      });
    }
    throw error;
  });
  showMetadata(result, { json: output.json, sink: output.stdout });
  if (!result.confirmed) {
    output.stderr.write(
      "The edit is committed. The sandbox's node has not confirmed it yet; it is told until it has.\n",
    );
  }
}
