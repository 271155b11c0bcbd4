import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { CastellanError } from "@castellan/domain";
import { hostOf, type Targets } from "./targets.ts";

/** What is read of an answer before the connection is given up; nothing of it is kept. */
const answerBytes = 16 * 1024;

/**
 * Posts a body and answers with the status. Redirects are not followed, and the connection goes to an address that
 * `targets` gave for it, whatever DNS says a moment later.
 * @throws what the network says, or a timeout after `timeoutMs`, which counts from the lookup to the end of the answer.
 */
export async function post(
  targets: Targets,
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
  stopping: AbortSignal,
): Promise<number> {
  const url = new URL(address);
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]);
  const addresses = await within(targets.resolve(hostOf(url)), signal);
  const [first] = addresses;
  if (first === undefined) throw new CastellanError("invalid_argument", "The host has no address");
  const options: RequestOptions = {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) },
    signal,
    // A connection of its own: none that was opened when the name led elsewhere.
    agent: false,
    lookup: lookupOf(addresses),
  };
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, options, (response) => {
      let bytes = 0;
      const done = () => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytes) done();
      });
      response.once("end", done);
      response.once("error", reject);
    });
    request.once("error", reject);
    request.end(body);
  });
}

function lookupOf(addresses: Awaited<ReturnType<Targets["resolve"]>>): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, addresses);
    else callback(null, first?.address ?? "", first?.family ?? 4);
  };
}

/** DNS cannot be cancelled; whoever waits for it can. */
function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
