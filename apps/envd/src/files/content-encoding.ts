import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { HttpError } from "../http.ts";

/**
 * Does `work` with the body of a request as it was before its `Content-Encoding`, gzip or none. A body that is not what
 * its header says errors while it is read.
 *
 * @throws HttpError 415 for another encoding; what `work` throws.
 */
export async function withDecodedBody(
  request: IncomingMessage,
  work: (body: Readable) => Promise<void>,
): Promise<void> {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity") return work(request);
  if (encoding !== "gzip") throw new HttpError(415, `content encoding '${encoding}' is not supported`);
  const { createGunzip } = process.getBuiltinModule("node:zlib");
  const decoder = createGunzip();
  // Also while nobody reads: unheard, the error would be the daemon's.
  decoder.on("error", () => {});
  request.on("error", (error) => decoder.destroy(error));
  request.pipe(decoder);
  try {
    await work(decoder);
  } finally {
    // What is left of the body must flow again, or the client never comes to read the answer.
    request.unpipe(decoder);
    decoder.destroy();
  }
}
