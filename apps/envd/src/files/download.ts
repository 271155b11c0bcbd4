import type { Stats } from "node:fs";
import { constants, type FileHandle, open } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { posix } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Accounts } from "../accounts.ts";
import { errorCode } from "../filesystem/failure.ts";
import { HttpError } from "../http.ts";
import type { Settings } from "../settings.ts";
import { type Coding, chooseCoding, takesIdentity } from "./accept-encoding.ts";
import { mediaType } from "./media-type.ts";
import { parseRange } from "./range.ts";
import { filePath, fileUser, httpFailure, whileMoving } from "./request.ts";

const chunkBytes = 256 * 1024;

/**
 * `GET /files?path=…&username=…`: the bytes of a regular file, streamed; a part of it with `Range`; gzipped for a client
 * that asks for it, unless it asks for a part or sets a condition as well.
 *
 * @throws HttpError 400 for a directory or special file, 401 for an unknown user, 404 when nothing is there, 406 when the
 * client takes no encoding that there is, 416 for a range outside the file.
 */
export async function download(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  accounts: Accounts,
  settings: Settings,
): Promise<void> {
  const account = fileUser(request, query, accounts, settings);
  const path = filePath(query.get("path") ?? "", account, settings);
  const file = await openRegular(path);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new HttpError(400, `path '${path}' is a directory`);
    if (!stats.isFile()) throw new HttpError(400, `path '${path}' is not a regular file`);
    await whileMoving(request.socket, () => send(file, stats, path, request, response));
  } catch (error) {
    throw httpFailure(`cannot read '${path}'`, error);
  } finally {
    await file.close();
  }
}

/** Without waiting: opening a named pipe would else hang until somebody writes to it. */
async function openRegular(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") {
      throw new HttpError(404, `path '${path}' does not exist`);
    }
    throw httpFailure(`cannot read '${path}'`, error);
  }
}

async function send(
  file: FileHandle,
  stats: Stats,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const modified = stats.mtime.toUTCString();
  const coding = codingFor(request);
  const headers = {
    "accept-ranges": "bytes",
    "content-disposition": `inline; filename*=UTF-8''${encodeURIComponent(posix.basename(path))}`,
    "content-type": mediaType(path),
    "last-modified": modified,
    vary: "Accept-Encoding",
  };

  if (Math.floor(stats.mtimeMs / 1000) * 1000 <= Date.parse(request.headers["if-modified-since"] ?? "")) {
    response.writeHead(304, headers).end();
    return;
  }

  if (coding === "gzip") {
    const { createGzip, constants: levels } = process.getBuiltinModule("node:zlib");
    response.writeHead(200, { ...headers, "content-encoding": "gzip" });
    await pipeline(
      file.createReadStream({ autoClose: false, highWaterMark: chunkBytes }),
      createGzip({ level: levels.Z_BEST_SPEED }),
      response,
    );
    return;
  }

  const { range: rangeHeader, "if-range": condition } = request.headers;
  const range = parseRange(condition === undefined || condition === modified ? rangeHeader : undefined, stats.size);
  if (range === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${stats.size}`);
    throw new HttpError(416, `the range is outside the file of ${stats.size} bytes`);
  }
  if (range === "whole" && stats.size === 0) {
    await sendUnsized(file, response, headers);
    return;
  }

  const { first, last } = range === "whole" ? { first: 0, last: stats.size - 1 } : range;
  const length = last - first + 1;
  response.writeHead(range === "whole" ? 200 : 206, {
    ...headers,
    "content-length": length,
    ...(range !== "whole" && { "content-range": `bytes ${first}-${last}/${stats.size}` }),
  });
  const sent = await copy(file, response, first, length);
  // The file has become shorter meanwhile. An answer that stays short of its length would leave the client waiting.
  if (sent < length) response.destroy();
  else response.end();
}

/** Parts of files and answers without a body are sent as they are. */
function codingFor({ headers }: IncomingMessage): Coding {
  const plainOnly = ["range", "if-range", "if-modified-since", "if-none-match"].some((name) => headers[name]);
  const accepted = headers["accept-encoding"];
  const coding = plainOnly ? (takesIdentity(accepted) ? "identity" : undefined) : chooseCoding(accepted);
  if (coding === undefined) throw new HttpError(406, "no acceptable encoding found, supported: [identity, gzip]");
  return coding;
}

/**
 * Sends `length` bytes of a file from `position` on, as fast as the client takes them and through one buffer, so that a
 * transfer of any size leaves no memory behind. Returns how many there were.
 */
async function copy(file: FileHandle, response: ServerResponse, position: number, length: number): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(length, chunkBytes));
  let sent = 0;
  while (sent < length) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - sent), position + sent);
    if (bytesRead === 0) break;
    await write(response, buffer.subarray(0, bytesRead));
    sent += bytesRead;
  }
  return sent;
}

/** Resolves when the system has taken the bytes, and rejects when the client has gone. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error("the client has gone"));
    if (response.destroyed) return gone();
    response.once("close", gone);
    response.write(bytes, (error) => {
      response.off("close", gone);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** A file without a size: empty, or made up while it is read, as those in /proc are. */
async function sendUnsized(file: FileHandle, response: ServerResponse, headers: OutgoingHttpHeaders): Promise<void> {
  const probe = await file.read(Buffer.alloc(4096), 0, 4096, null);
  if (probe.bytesRead === 0) {
    response.writeHead(200, { ...headers, "content-length": 0 }).end();
    return;
  }
  response.writeHead(200, headers);
  response.write(probe.buffer.subarray(0, probe.bytesRead));
  await pipeline(file.createReadStream({ autoClose: false }), response);
}
