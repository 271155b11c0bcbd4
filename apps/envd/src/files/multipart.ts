import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import busboy from "busboy";
import { HttpError } from "../http.ts";

/** Most parts in one upload, files and others. */
const maxParts = 10_000;

/** Most bytes of a part without a file name, which is kept in memory as a whole. */
const maxUnnamedBytes = 8 * 1024 * 1024;

/**
 * Reads a multipart body and hands the parts named `file` to `onFile`, one after the other, each with its file name
 * as it stands there, directories included; undefined for one that was sent as a plain field. Other parts are skipped.
 * Memory stays bounded: a part is read only as fast as it is taken.
 *
 * @throws HttpError 400 for a malformed body, 413 for a part without a file name of more than 8 MiB; what `onFile` throws.
 */
export async function readParts(
  headers: IncomingHttpHeaders,
  body: Readable,
  onFile: (name: string | undefined, content: Readable) => Promise<void>,
): Promise<void> {
  const parser = createParser(headers);
  let previous: Promise<void> = Promise.resolve();
  let failure: unknown;
  let limitReached = false;

  const take = (name: string | undefined, content: Readable) => {
    // Unheard, a broken part would end the daemon; whoever reads it hears of it as well.
    content.on("error", () => {});
    previous = previous.then(async () => {
      try {
        if (failure === undefined) await onFile(name, content);
      } catch (error) {
        failure ??= error;
      } finally {
        content.resume();
      }
    });
  };
  parser.on("file", (field, content, { filename }) => {
    if (field === "file") take(filename || undefined, content);
    else content.resume();
  });
  parser.on("field", (field, value, { valueTruncated }) => {
    if (field !== "file") return;
    if (valueTruncated) failure ??= new HttpError(413, "a part of this size needs a file name");
    else take(undefined, Readable.from([Buffer.from(value, fieldEncoding)]));
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

/** In which every byte is a character, so that the content of a plain field comes out as it went in. */
const fieldEncoding = "latin1";

function createParser(headers: IncomingHttpHeaders): busboy.Busboy {
  try {
    return busboy({
      headers,
      preservePath: true,
      defParamCharset: "utf8",
      defCharset: fieldEncoding,
      fileHwm: 256 * 1024,
      limits: { parts: maxParts, fieldSize: maxUnnamedBytes, headerPairs: 100 },
    });
  } catch (error) {
    throw new HttpError(400, "malformed multipart content type", { cause: error });
  }
}
