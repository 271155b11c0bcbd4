import { constants, type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { posix } from "node:path";
import type { Accounts } from "../accounts.ts";
import { ensureDirectory } from "../filesystem/directories.ts";
import { errorCode } from "../filesystem/failure.ts";
import { answer, HttpError, readJsonObject } from "../http.ts";
import type { Settings } from "../settings.ts";
import { accountNamed, filePath, httpFailure } from "./request.ts";

const maxBodyBytes = 1024 * 1024;
const maxSources = 10_000;
const chunkBytes = 1024 * 1024;

/**
 * `POST /files/compose` with `{source_paths, destination, username?}`: puts the contents of the sources one after the
 * other into the destination and removes the sources. Until all of it is there the destination stays as it was. Answers
 * with a description of the new file.
 *
 * @throws HttpError 400 for a bad body, a source that is no regular file or is the destination, 401 for an unknown user,
 * 404 for a missing source, 507 when the disk is full.
 */
export async function compose(
  request: IncomingMessage,
  response: ServerResponse,
  accounts: Accounts,
  settings: Settings,
): Promise<void> {
  const { sources, destination, username } = parse(await readJsonObject(request, maxBodyBytes));
  const account = accountNamed(username ?? settings.defaultUser, accounts);
  const path = filePath(destination, account, settings);
  const parts = sources.map((source) => filePath(source, account, settings));
  if (parts.includes(path)) throw new HttpError(400, `source path '${path}' is the destination`);
  for (const part of parts) await requireRegular(part);

  // Loaded here, because few daemons ever need it.
  const unfinished = `${path}.compose-${process.getBuiltinModule("node:crypto").randomUUID()}`;
  try {
    await ensureDirectory(posix.dirname(path), account);
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const file = await open(unfinished, O_WRONLY | O_CREAT | O_EXCL, 0o666);
    try {
      await file.chown(account.uid, account.gid);
      for (const part of parts) await append(part, file);
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    await unlink(unfinished).catch(() => {});
    if (errorCode(error) === "EISDIR") throw new HttpError(400, `path '${path}' is a directory`, { cause: error });
    throw httpFailure(`cannot compose '${path}'`, error);
  }
  // The same source may be named twice.
  for (const part of new Set(parts)) await unlink(part).catch(() => {});
  answer(response, 200, { path, name: posix.basename(path), type: "file" });
}

async function append(part: string, file: FileHandle): Promise<void> {
  const source = await open(part, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.allocUnsafeSlow(chunkBytes);
    for (;;) {
      const { bytesRead } = await source.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      await file.writeFile(buffer.subarray(0, bytesRead));
    }
  } finally {
    await source.close();
  }
}

async function requireRegular(path: string): Promise<void> {
  const stats = await stat(path).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw httpFailure(`cannot read '${path}'`, error);
  });
  if (!stats) throw new HttpError(404, `source file '${path}' does not exist`);
  if (!stats.isFile()) throw new HttpError(400, `source path '${path}' is not a regular file`);
}

function parse(body: Readonly<Record<string, unknown>>): { sources: string[]; destination: string; username?: string } {
  const { source_paths: sources, destination, username } = body;
  if (!Array.isArray(sources) || sources.length === 0 || !sources.every((source) => typeof source === "string")) {
    throw new HttpError(400, "source_paths must be a list of paths, at least one");
  }
  if (sources.length > maxSources) throw new HttpError(400, `source_paths has more than ${maxSources} entries`);
  if (typeof destination !== "string" || destination === "") throw new HttpError(400, "destination is required");
  if (username !== undefined && username !== null && typeof username !== "string") {
    throw new HttpError(400, "username must be a string");
  }
  return { sources, destination, ...(username && { username }) };
}
