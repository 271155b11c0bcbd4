import { constants, type FileHandle, open, unlink } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { posix } from "node:path";
import type { Readable } from "node:stream";
import type { Account, Accounts } from "../accounts.ts";
import { ensureDirectory } from "../filesystem/directories.ts";
import { errorCode } from "../filesystem/failure.ts";
import { type FileMetadata, metadataFault, readMetadata, writeMetadata } from "../filesystem/metadata.ts";
import { answer, HttpError } from "../http.ts";
import type { Settings } from "../settings.ts";
import { withDecodedBody } from "./content-encoding.ts";
import { filePath, fileUser, httpFailure, whileMoving } from "./request.ts";

/** A file that an upload has written. */
interface Written {
  readonly name: string;
  readonly type: "file";
  readonly path: string;
  /** As it was stored; absent when there is none. */
  readonly metadata?: FileMetadata;
}

/** Whose the files become and what is attached to each of them. */
interface Upload {
  readonly account: Account;
  readonly settings: Settings;
  readonly metadata: FileMetadata;
}

/**
 * `POST /files`: writes files and answers with an array of what was written. The body is `multipart/form-data`, each
 * part named `file` with the whole path as its file name, or `application/octet-stream`; either may be gzipped. A path in
 * the query goes before that of a part. Missing directories are made; files and directories that are made, and files that
 * are overwritten, belong to the request's user. Files are written in place, so links, watchers and modes stay. Headers
 * `X-Metadata-<key>` become the metadata of every file, in place of what it had.
 *
 * @throws HttpError 400 for unusable bodies, paths, metadata and directories, 401 for an unknown user, 415 for another
 * encoding, 507 when the disk is full.
 */
export async function upload(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  accounts: Accounts,
  settings: Settings,
): Promise<void> {
  const account = fileUser(request, query, accounts, settings);
  const target: Upload = { account, settings, metadata: metadataOf(request) };
  const path = query.get("path") ?? undefined;
  const mediaType = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  await whileMoving(request.socket, () =>
    withDecodedBody(request, async (body) => {
      if (mediaType === "application/octet-stream") {
        if (path === undefined) throw new HttpError(400, "an octet-stream upload needs the query parameter path");
        answer(response, 200, [await store(body, path, target)]);
      } else if (mediaType.startsWith("multipart/")) {
        answer(response, 200, await storeParts(request, body, path, target));
      } else {
        const expected = "send multipart/form-data or application/octet-stream";
        throw new HttpError(400, `unsupported content type '${mediaType}': ${expected}`);
      }
    }),
  );
}

async function storeParts(
  { headers }: IncomingMessage,
  body: Readable,
  path: string | undefined,
  target: Upload,
): Promise<Written[]> {
  const { readParts } = await import("./multipart.ts");
  const written: Written[] = [];
  await readParts(headers, body, async (name, content) => {
    const wanted = path ?? name;
    if (!wanted) throw new HttpError(400, "a part named 'file' has no file name");
    const destination = filePath(wanted, target.account, target.settings);
    if (written.some((other) => other.path === destination)) {
      throw new HttpError(400, `cannot upload several files to the same path '${destination}' in one request`);
    }
    written.push(await store(content, wanted, target));
  });
  if (written.length === 0) throw new HttpError(400, "the upload has no part named 'file'");
  return written;
}

const metadataHeader = "x-metadata-";

/** What is to be attached to the files. Of a header that comes more than once the first counts. */
function metadataOf(request: IncomingMessage): FileMetadata {
  const given = Object.entries(request.headersDistinct).filter(([name]) => name.startsWith(metadataHeader));
  const metadata = Object.fromEntries(
    given.map(([name, values]) => [name.slice(metadataHeader.length), values?.[0] ?? ""]),
  );
  const fault = metadataFault(metadata);
  if (fault !== undefined) throw new HttpError(400, `invalid metadata: ${fault}`);
  return metadata;
}

async function store(content: Readable, wanted: string, target: Upload): Promise<Written> {
  const { account: owner, metadata } = target;
  const path = filePath(wanted, owner, target.settings);
  const hasMetadata = Object.keys(metadata).length > 0;
  try {
    await ensureDirectory(posix.dirname(path), owner);
    const { file, created } = await openForWriting(path);
    try {
      const stats = await file.stat();
      if (stats.isFile()) {
        if (stats.uid !== owner.uid || stats.gid !== owner.gid) await file.chown(owner.uid, owner.gid);
      } else if (!stats.isCharacterDevice()) {
        // Devices such as /dev/null can be written to and stay whose they are.
        throw new HttpError(400, `path '${path}' is not a regular file`);
      }
      // A write that fails must not destroy the request, over whose connection the answer goes.
      await file.writeFile(content.iterator({ destroyOnReturn: false }));
      // A file that is written over keeps its attributes, which are those of its earlier content.
      if (hasMetadata || !created) writeMetadata(file.fd, metadata);
    } catch (error) {
      // Half of a new file is of no use, and takes room where the disk is full.
      if (created) await unlink(path).catch(() => {});
      throw error;
    } finally {
      await file.close();
    }
    const stored = hasMetadata ? readMetadata(path) : undefined;
    return { name: posix.basename(path), type: "file", path, ...(stored && { metadata: stored }) };
  } catch (error) {
    if (errorCode(error) === "EISDIR") throw new HttpError(400, `path '${path}' is a directory`, { cause: error });
    if (content.errored) throw new HttpError(400, "the upload broke off or is malformed", { cause: error });
    throw httpFailure(`cannot write '${path}'`, error);
  }
}

/** Opens without waiting for the other side of a named pipe, and says whether the file is new. */
async function openForWriting(path: string): Promise<{ file: FileHandle; created: boolean }> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_NONBLOCK } = constants;
  try {
    return { file: await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NONBLOCK, 0o666), created: true };
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    return { file: await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0o666), created: false };
  }
}
