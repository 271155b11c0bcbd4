import { lstat, realpath, rename, stat } from "node:fs/promises";
import { posix } from "node:path";
import type { Filesystem } from "@castellan/contracts/filesystem";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Account, Accounts } from "../accounts.ts";
import { callerOf } from "../caller.ts";
import { resolvePath } from "../paths.ts";
import type { CurrentSettings } from "../settings.ts";
import { ensureDirectory } from "./directories.ts";
import { entryAt } from "./entry.ts";
import { errorCode, rpcFailure } from "./failure.ts";
import { listBelow } from "./listing.ts";
import { removeTree } from "./removal.ts";
import { watchRpcs } from "./watch/service.ts";
import type { Watchers } from "./watch/watchers.ts";

/**
 * The RPCs about files. They act with the daemon's own rights, as clients know it: what a request's user decides is
 * where relative paths start and who owns what is made.
 */
export function filesystemService(
  accounts: Accounts,
  settings: CurrentSettings,
  watchers: Watchers,
): Partial<ServiceImpl<typeof Filesystem>> {
  const locate = (path: string, context: HandlerContext): { path: string; account: Account } => {
    const account = callerOf(context);
    try {
      return { path: resolvePath(path, account, settings.current.defaultWorkdir), account };
    } catch (error) {
      throw rpcFailure("invalid path", error);
    }
  };

  return {
    ...watchRpcs(watchers, accounts, (path, context) => locate(path, context).path),

    async stat(request, context) {
      const { path } = locate(request.path, context);
      return { entry: await attempt(`cannot look at ${path}`, () => lookAt(path)) };
    },

    async listDir(request, context) {
      const { path } = locate(request.path, context);
      return attempt(`cannot list ${path}`, async () => {
        const directory = await realpath(path);
        if (!(await stat(directory)).isDirectory()) {
          throw new ConnectError(`path is not a directory: ${path}`, Code.InvalidArgument);
        }
        const entries = await listBelow(directory, request.depth || 1, accounts.read(), context.signal);
        // The caller's name for the directory, which may have been a symbolic link.
        return {
          entries: entries.map((entry) => ({ ...entry, path: posix.join(path, entry.path.slice(directory.length)) })),
        };
      });
    },

    async makeDir(request, context) {
      const { path, account } = locate(request.path, context);
      return attempt(`cannot make ${path}`, async () => {
        const existing = await stat(path).catch((error: unknown) => {
          if (errorCode(error) === "ENOENT") return undefined;
          throw error;
        });
        if (existing?.isDirectory()) throw new ConnectError(`directory already exists: ${path}`, Code.AlreadyExists);
        if (existing) {
          throw new ConnectError(`path already exists but it is not a directory: ${path}`, Code.InvalidArgument);
        }
        await ensureDirectory(path, account);
        return { entry: await lookAt(path) };
      });
    },

    async move(request, context) {
      const source = locate(request.source, context).path;
      const { path: destination, account } = locate(request.destination, context);
      return attempt(`cannot move ${source} to ${destination}`, async () => {
        // First, so that a missing source leaves no new directories behind.
        await lstat(source);
        await ensureDirectory(posix.dirname(destination), account);
        await rename(source, destination);
        return { entry: await lookAt(destination) };
      });
    },

    async remove(request, context) {
      const { path } = locate(request.path, context);
      await attempt(`cannot remove ${path}`, () => removeTree(path));
      return {};
    },
  };

  async function lookAt(path: string) {
    try {
      return await entryAt(path, accounts.read());
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") {
        throw new ConnectError(`file not found: ${path}`, Code.NotFound);
      }
      throw error;
    }
  }
}

async function attempt<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw rpcFailure(action, error);
  }
}
