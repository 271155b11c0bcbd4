import { CastellanError, type EventId, parseSandboxId } from "@castellan/domain";
import type { Caller, OperationReply, OperationRequest, SecuredHandlers } from "@castellan/rest";
import { presentEvent, typeOf } from "../events/presenting.ts";
import type { Services } from "../services.ts";

/** As the contract's default says. */
const defaultLimit = 10;

type Request = OperationRequest<"listSandboxEvents">;
type Reply = OperationReply<"listSandboxEvents">;

/** What happened to a team's sandboxes, or to one of them: a page of it, or as it comes. */
export function eventHandlers({
  store,
  eventStreams,
}: Services): Pick<SecuredHandlers, "listSandboxEvents" | "listEventsOfSandbox"> {
  return {
    listSandboxEvents: (request, caller) => answer(request, caller, undefined),
    listEventsOfSandbox: (request, caller) => answer(request, caller, parseSandboxId(request.params.sandboxID)),
  };

  async function answer(
    { query, headers, prefers }: Pick<Request, "query" | "headers" | "prefers">,
    { teamId }: Caller,
    sandboxId: string | undefined,
  ): Promise<Reply> {
    const types = query.types?.map(typeOf);
    if (prefers("text/event-stream")) {
      const after = readId(headers["Last-Event-ID"] || query.after);
      const stream = await eventStreams.open({
        teamId,
        ...(after !== undefined && { after }),
        wants: (event) =>
          (sandboxId === undefined || event.sandboxId === sandboxId) &&
          (types === undefined || types.includes(event.type)),
      });
      return { status: 200, stream };
    }
    const after = readId(query.after);
    const page = await store.listEvents(teamId, {
      order: query.orderAsc === true ? "asc" : "desc",
      limit: query.limit ?? defaultLimit,
      offset: query.offset ?? 0,
      ...(after !== undefined && { after }),
      ...(sandboxId !== undefined && { sandboxId }),
      ...(types !== undefined && { types }),
    });
    const isLast = !page.more || page.upTo === undefined;
    return {
      status: 200,
      body: page.events.map(presentEvent),
      ...(isLast ? {} : { headers: { "X-Next-Token": String(page.upTo) } }),
    };
  }
}

/** @throws `invalid_argument` */
function readId(text: string | undefined): EventId | undefined {
  if (text === undefined) return undefined;
  const id = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(id)) throw new CastellanError("invalid_argument", "An event's id is up to 16 digits");
  return id;
}
