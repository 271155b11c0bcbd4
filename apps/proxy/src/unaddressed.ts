import type { IncomingMessage, ServerResponse } from "node:http";
import { noSuchPath, send } from "./answers.ts";
import type { ApiDeadline } from "./api-deadline.ts";
import { answerPreflight, isPreflight } from "./cors.ts";
import type { EdgeOptions } from "./edge.ts";

/**
 * A request whose headers name no sandbox: a preflight, which may be for either side, or the API's. A signed file URL
 * names none either; telling it from the API's paths, by its signature, has its place here.
 */
export function handleUnaddressed(
  request: IncomingMessage,
  response: ServerResponse,
  api: EdgeOptions["api"],
  deadline: ApiDeadline,
): void {
  if (isPreflight(request)) {
    answerPreflight(request, response);
  } else if (api) {
    deadline.watch(request, response);
    api(request, response);
  } else {
    send(request, response, noSuchPath);
  }
}
