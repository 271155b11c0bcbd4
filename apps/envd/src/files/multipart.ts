import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import busboy from "busboy";
import { HttpError } from "../http.ts";

/** Most parts in one upload, files and others. */
const maxParts = 10_000;

/**
 * Reads a multipart body and hands the parts named `file` to `onFile`, one after the other, each with its file name
 * as it stands there, directories included. Other parts are skipped. Memory stays bounded: a part is read only as fast
 * as it is taken.
 *
 * @throws HttpError 400 for a malformed body or a file part without a name; what `onFile` throws.
 */
export async function readParts(
  headers: IncomingHttpHeaders,
  body: Readable,
  onFile: (name: string, content: Readable) => Promise<void>,
): Promise<void> {
  const parser = createParser(headers);
  let previous: Promise<void> = Promise.resolve();
  let failure: unknown;
  let limitReached = false;

  parser.on("file", (field, content, { filename }) => {
    // Unheard, a broken part would end the daemon; whoever reads it hears of it as well.
    content.on("error", () => {});
    if (field !== "file") {
      content.resume();
      return;
    }
    previous = previous.then(async () => {
      try {
        if (failure !== undefined) return;
        if (!filename) throw new HttpError(400, "a part named 'file' has no file name");
        await onFile(filename, content);
      } catch (error) {
        failure ??= error;
      } finally {
        content.resume();
      }
    });
  });
  parser.on("partsLimit", () => {
    limitReached = true;
  });

  try {
    await pipeline(body.iterator({ destroyOnReturn: false }), parser);
  } catch (error) {
    await previous;
    throw failure ?? new HttpError(400, "the multipart body is malformed or broke off", { cause: error });
  }
  await previous;
  if (failure !== undefined) throw failure;
  if (limitReached) throw new HttpError(400, `the upload has more than ${maxParts} parts`);
}

function createParser(headers: IncomingHttpHeaders): busboy.Busboy {
  try {
    return busboy({
      headers,
      preservePath: true,
      defParamCharset: "utf8",
      fileHwm: 256 * 1024,
      limits: { parts: maxParts, fieldSize: 64 * 1024, headerPairs: 100 },
    });
  } catch (error) {
    throw new HttpError(400, "malformed multipart content type", { cause: error });
  }
}
