import { posix } from "node:path";
import type { Filesystem } from "@castellan/contracts/filesystem";
import { EventType } from "@castellan/contracts/filesystem";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Accounts } from "../../accounts.ts";
import { keepAliveInterval } from "../../process/keep-alive.ts";
import { type Entry, entryAt } from "../entry.ts";
import { rpcFailure } from "../failure.ts";
import type { Change } from "./watcher.ts";
import type { OpenWatcher, Watchers, WatchOptions } from "./watchers.ts";

type WatchRequest = Omit<WatchOptions, "path"> & { readonly path: string };

/** The RPCs that watch directories. `locate` makes an absolute path of a request's. */
export function watchRpcs(
  watchers: Watchers,
  accounts: Accounts,
  locate: (path: string, context: HandlerContext) => string,
): Pick<ServiceImpl<typeof Filesystem>, "watchDir" | "createWatcher" | "getWatcherEvents" | "removeWatcher"> {
  const open = async (request: WatchRequest, context: HandlerContext): Promise<OpenWatcher> => {
    const { recursive, includeEntry, allowNetworkMounts } = request;
    const path = locate(request.path, context);
    try {
      return await watchers.open({ path, recursive, includeEntry, allowNetworkMounts });
    } catch (error) {
      throw rpcFailure(`cannot watch ${path}`, error);
    }
  };

  /** With a description of the entry as it is now, for those changes after which there is one. */
  const describe = async (root: string, changes: readonly Change[], includeEntry: boolean) => {
    const entries = new Map<string, Promise<Entry | undefined>>();
    const entryOf = (name: string) => {
      const entry = entries.get(name) ?? entryAt(posix.join(root, name), accounts.read()).catch(() => undefined);
      entries.set(name, entry);
      return entry;
    };
    const described = [];
    for (const { name, type } of changes) {
      const entry = includeEntry && leavesEntry(type) ? await entryOf(name) : undefined;
      described.push({ name, type, ...(entry && { entry }) });
    }
    return described;
  };

  return {
    async *watchDir(request, context) {
      const { watcher, includeEntry } = await open(request, context);
      const { signal } = context;
      // A stream whose client takes nothing never comes back here: its end hangs on the signal.
      const stop = () => watchers.close(watcher);
      signal.addEventListener("abort", stop, { once: true });
      try {
        if (signal.aborted) stop();
        yield { event: { case: "start", value: {} } };
        for (;;) {
          const changes = await watcher.take(keepAliveInterval(context.requestHeader));
          if (!changes) break;
          if (changes.length === 0) yield { event: { case: "keepalive", value: {} } };
          for (const value of await describe(watcher.root, changes, includeEntry)) {
            yield { event: { case: "filesystem", value } };
          }
        }
        signal.throwIfAborted();
      } finally {
        signal.removeEventListener("abort", stop);
        stop();
      }
    },

    async createWatcher(request, context) {
      return { watcherId: watchers.keep(await open(request, context)) };
    },

    async getWatcherEvents({ watcherId }) {
      const { watcher, includeEntry } = watchers.get(watcherId);
      return { events: await describe(watcher.root, (await watcher.take()) ?? [], includeEntry) };
    },

    removeWatcher({ watcherId }) {
      watchers.remove(watcherId);
      return {};
    },
  };
}

/** After a removal or a move something else may be there under the name. */
function leavesEntry(type: EventType): boolean {
  return type === EventType.CREATE || type === EventType.WRITE || type === EventType.CHMOD;
}
