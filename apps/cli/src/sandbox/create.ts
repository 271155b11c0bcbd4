import type { CastellanClient } from "@castellan/client";
import { type Metadata, metadataToObject } from "@castellan/domain";
import { Failure } from "../failure.ts";
import { printJson, type ResultSink } from "../terminal/table.ts";

export interface CreateRequest {
  /** Id or alias. */
  readonly template: string;
  readonly timeoutSeconds: number;
  readonly metadata: Metadata;
}

/** `castellan sandbox create`: prints the new sandbox's id, so that `id=$(castellan sandbox create)` works. */
export async function createSandbox(
  { api }: CastellanClient,
  request: CreateRequest,
  options: { readonly json: boolean; readonly sink: ResultSink },
): Promise<void> {
  const { data } = await api.POST("/sandboxes", {
    body: {
      templateID: request.template,
      timeout: request.timeoutSeconds,
      metadata: metadataToObject(request.metadata),
      secure: true,
      autoPause: false,
      autoPauseMemory: true,
    },
  });
  if (data === undefined) throw new Failure("The service answered without a sandbox.");
  if (options.json) printJson(options.sink, data);
  else options.sink.write(`${data.sandboxID}\n`);
}
