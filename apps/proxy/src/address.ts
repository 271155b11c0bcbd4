import type { IncomingHttpHeaders } from "node:http";
import { CastellanError, parseSandboxId } from "@castellan/domain";

/** The port of the daemon in a sandbox. */
export const daemonPort = 49983;

/** Which port of which sandbox a request is for. */
export interface Address {
  readonly sandboxId: string;
  readonly port: number;
  /**
   * By `header`, the origin is shared with the API and with other sandboxes; by `signature` as well, and a browser may
   * open it as a page; by `host`, it is the port's own.
   */
  readonly by: "header" | "host" | "signature";
}

/**
 * Decides from the headers alone, as the same paths exist on both sides. A host name of the form
 * `<port>-<sandboxId>.<domain>` routes by itself; on any other host the two headers do.
 *
 * @returns `undefined` when the request is not for a sandbox.
 * @throws `invalid_argument` when it is for one that cannot exist.
 */
export function addressOf(headers: IncomingHttpHeaders, domain: string): Address | undefined {
  const label = portLabel(headers.host, domain);
  if (label) return parse(label.sandboxId, label.port, "host");

  const sandboxId = single(headers["e2b-sandbox-id"]);
  const port = single(headers["e2b-sandbox-port"]);
  if (sandboxId === "" && port === "") return undefined;
  if (sandboxId === "") throw new CastellanError("invalid_argument", "Missing header: E2b-Sandbox-Id");
  if (port === "") throw new CastellanError("invalid_argument", "Missing header: E2b-Sandbox-Port");
  return parse(sandboxId, port, "header");
}

/** The host name of a domain, without port and final dot, in lower case. */
export function hostName(host: string): string {
  return host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
}

function portLabel(host: string | undefined, domain: string) {
  // Nearly every request names the host of the API: end here before anything is parsed.
  if (host === undefined || !/^\d/.test(host)) return undefined;
  const name = hostName(host);
  const suffix = `.${hostName(domain)}`;
  if (!name.endsWith(suffix)) return undefined;
  const [, port, sandboxId] = /^(\d+)-([^.]+)$/.exec(name.slice(0, -suffix.length)) ?? [];
  return port !== undefined && sandboxId !== undefined ? { port, sandboxId } : undefined;
}

function parse(sandboxId: string, port: string, by: Address["by"]): Address {
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) throw new CastellanError("invalid_argument", "Invalid sandbox port");
  try {
    return { sandboxId: parseSandboxId(sandboxId), port: number, by };
  } catch (cause) {
    throw new CastellanError("invalid_argument", "Invalid sandbox ID", { cause });
  }
}

/** Node joins repeated headers of one name with commas, which then parse as nothing. */
function single(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join() : (value ?? "");
}
