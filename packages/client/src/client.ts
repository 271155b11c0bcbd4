import type { paths } from "@castellan/contracts/openapi";
import createFetchClient, { type Client, type Middleware } from "openapi-fetch";
import { ApiError, errorOf } from "./errors.ts";
import { type EventsOptions, followEvents, type SandboxEvent } from "./events.ts";
import { type MetadataClient, metadataClient } from "./metadata.ts";

export interface ClientOptions {
  /** Where the API is, for example `http://127.0.0.1:3000`. */
  readonly apiUrl: string;
  /** Like `e2b_…`. */
  readonly apiKey: string;
  /** Default: the global `fetch`. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** How long a request may take, in milliseconds; 0 for no limit. Default 60,000. */
  readonly timeoutMs?: number;
}

/** A client of the API, typed from its contract. */
export interface CastellanClient {
  /**
   * Every operation, by method and path: `api.GET("/sandboxes/{sandboxID}", { params: { path: { sandboxID } } })`. Each
   * answers `{ data, response }`.
   * @throws ApiError for every answer that is not a success, and with status 0 when there is none.
   */
  readonly api: Client<paths>;
  readonly metadata: MetadataClient;
  /**
   * What happens to the team's sandboxes, as it happens, until the caller stops: `for await (const event of
   * client.events())`. A lost connection is made anew where it was, so that nothing is missed and nothing comes twice.
   * @throws ApiError when the service refuses.
   */
  events(options?: EventsOptions): AsyncIterable<SandboxEvent>;
}

const defaultTimeoutMs = 60_000;

export function createClient(options: ClientOptions): CastellanClient {
  const { apiKey, timeoutMs = defaultTimeoutMs, fetch: send = (request) => fetch(request) } = options;
  const api = createFetchClient<paths>({
    baseUrl: options.apiUrl.replace(/\/+$/, ""),
    headers: { "X-API-Key": apiKey },
    querySerializer: { array: { style: "form", explode: false } },
    fetch: (request) => sendInTime(send, request, timeoutMs),
  });
  const failures: Middleware = {
    async onResponse({ response }) {
      if (!response.ok) throw errorOf(response, await bodyOf(response));
    },
  };
  api.use(failures);
  return {
    api,
    metadata: metadataClient(api),
    events: (events) => followEvents(openStream, events),
  };

  function openStream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    const url = `${options.apiUrl.replace(/\/+$/, "")}${path}`;
    // No deadline: the stream is as long as it is.
    return send(new Request(url, { headers: { ...headers, "X-API-Key": apiKey }, signal }));
  }
}

async function sendInTime(
  send: (request: Request) => Promise<Response>,
  request: Request,
  timeoutMs: number,
): Promise<Response> {
  const deadline = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined;
  const signal = deadline === undefined ? request.signal : AbortSignal.any([request.signal, deadline]);
  try {
    return await send(new Request(request, { signal }));
  } catch (cause) {
    // The caller's own doing is the caller's to see.
    if (request.signal.aborted) throw cause;
    const { origin } = new URL(request.url);
    const message = deadline?.aborted ? `${origin} did not answer in time` : `${origin} cannot be reached`;
    throw new ApiError(0, message, { cause });
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
