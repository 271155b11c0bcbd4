import { CastellanError, type Micros } from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import type { ListPage, ListPosition, ListQuery } from "@castellan/store";
import type { Services } from "../services.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import { readMetadataFilter } from "./metadata-filter.ts";
import { presentListed } from "./presenting.ts";

/** As the contract's default says. */
const defaultLimit = 100;
/** Records per step of the list that comes in one answer. */
const stepLimit = 1_000;

export function listHandlers({
  store,
  limits,
}: Services): Pick<SecuredHandlers, "listSandboxes" | "listRunningSandboxes"> {
  return {
    async listSandboxes({ query }, { teamId }) {
      const filter = readMetadataFilter(query.metadata);
      const states = query.state ?? ["running", "paused"];
      const order = query.order ?? "desc";
      const after = query.nextToken === undefined ? undefined : readCursor(query.nextToken, order);
      const asked: ListQuery = {
        states,
        filter,
        order,
        limit: query.limit ?? defaultLimit,
        ...(after === undefined ? {} : { after }),
        ...(query.template === undefined ? {} : { template: query.template }),
        ...(query.startedAfter === undefined ? {} : { startedAfter: readTime(query.startedAfter) }),
      };
      const [page, running] = await Promise.all([
        store.list(teamId, asked),
        states.includes("running") ? store.countRunning(teamId, filter) : undefined,
      ]);
      return {
        status: 200,
        body: page.sandboxes.map(presentListed),
        headers: {
          ...(page.next === undefined ? {} : { "X-Next-Token": writeCursor(page.next, order) }),
          ...(running === undefined ? {} : { "X-Total-Running": running }),
        },
      };
    },

    async listRunningSandboxes({ query }, { teamId }) {
      const filter = readMetadataFilter(query.metadata);
      const sandboxes: ListPage["sandboxes"][number][] = [];
      let after: ListPosition | undefined;
      do {
        const limit = Math.min(stepLimit, limits.maxListed - sandboxes.length);
        const page: ListPage = await store.list(teamId, {
          states: ["running"],
          filter,
          order: "desc",
          limit,
          ...(after === undefined ? {} : { after }),
        });
        sandboxes.push(...page.sandboxes);
        after = page.next;
      } while (after !== undefined && sandboxes.length < limits.maxListed);
      return { status: 200, body: sandboxes.map(presentListed) };
    },
  };
}

/** Keeps the microseconds that `Date` drops. */
function readTime(text: string): Micros {
  const millis = Date.parse(text);
  if (Number.isNaN(millis)) throw new CastellanError("invalid_argument", "startedAfter is not a time");
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return millis * 1000 + Number(fraction.padEnd(6, "0").slice(3, 6));
}
