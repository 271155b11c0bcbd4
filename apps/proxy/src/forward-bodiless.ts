import type { Dispatcher } from "undici";
import { originForm } from "./control-routes.ts";
import { cutOff, flushSoon, isCoded, NoAnswer, type Passage, passInformation } from "./forward.ts";
import { endToEnd, responseHeaders } from "./headers.ts";
import { type ExecutionTunnels, TunnelRefused } from "./tunnels.ts";

/** The requests that are most of a browser's, and all that `forwardBodiless` takes. */
export function isBodiless({ request, expectsContinue, onSwitch }: Passage): boolean {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  return request.method === "GET" && !expectsContinue && !onSwitch && length === undefined && coding === undefined;
}

/**
 * `forward` for a request without a body, with two thirds of its work: through undici, which cannot send trailers or
 * take a `100 Continue`, but neither is due here. Whatever it does not like ends in a `NoAnswer` that may be repeated,
 * and `forward` has the last word.
 *
 * @throws TunnelRefused before anything was sent
 * @throws NoAnswer when nothing was passed on yet
 */
export function forwardBodiless(passage: Passage, tunnels: ExecutionTunnels): Promise<void> {
  const { request, response, address } = passage;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const line = tunnels.lineTo(address.port);
  let controller: Dispatcher.DispatchController | undefined;
  let passing = false;
  response.once("close", () => {
    if (!response.writableFinished) controller?.abort(new Error("The client has gone"));
    resolve();
  });

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (response.destroyed) started.abort(new Error("The client has gone"));
    },
    onResponseStart(started, statusCode, headers, statusMessage) {
      const rawHeaders = texts(started.rawHeaders);
      if (statusCode < 200) {
        passInformation({ statusCode, rawHeaders }, response);
        return;
      }
      try {
        if (isCoded({ headers })) throw new Error("A transfer coding that cannot be passed on");
        const head = responseHeaders({ statusCode, headers, rawHeaders }, request, address);
        response.writeHead(statusCode, statusMessage ?? "", head);
      } catch (error) {
        // What one parser lets through another may refuse to write.
        started.abort(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      passing = true;
      flushSoon(response);
      resolve();
    },
    onResponseData(started, chunk) {
      if (response.write(chunk)) return;
      started.pause();
      response.once("drain", () => started.resume());
    },
    onResponseEnd(started) {
      line.release();
      // To undici a reset is an end like any other where the body has no length.
      if (line.failed) {
        cutOff(response);
        return;
      }
      const trailers = texts(started.rawTrailers);
      if (trailers.length > 0) response.addTrailers(endToEnd(trailers, "client"));
      response.end();
    },
    onResponseError(_controller, error) {
      line.release();
      if (passing) cutOff(response);
      const refused = error instanceof TunnelRefused && error.reason !== "ended";
      // An answer that only undici does not understand deserves another look; so does none on a connection that was kept.
      reject(refused ? error : new NoAnswer(line.reused || line.bytesRead > 0, error));
    },
  };
  line.dispatch({ method: "GET", path: originForm(request.url ?? "/"), headers: [...passage.headers] }, handler);
  return promise;
}

/** As they came: names and values in turn. */
function texts(raw: Dispatcher.DispatchController["rawHeaders"]): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((text) => (typeof text === "string" ? text : text.toString("latin1")));
}
