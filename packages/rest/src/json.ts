import { isUtf8 } from "node:buffer";
import { CastellanError, parseJson } from "@castellan/domain";
import type { FastifyRequest } from "fastify";

/**
 * Parses a JSON body. `__proto__` and `constructor` are keys like any other: they become own properties, and nothing
 * after it copies a body by assignment. An empty body counts as none.
 */
export async function readJson(_request: FastifyRequest, body: Buffer): Promise<unknown> {
  if (body.length === 0) return undefined;
  // Decoding would silently turn what is not UTF-8 into U+FFFD, and store that.
  if (!isUtf8(body)) throw new CastellanError("invalid_argument", "The body is not UTF-8");
  try {
    return parseJson(body.toString("utf8"));
  } catch (cause) {
    throw new CastellanError("invalid_argument", "The body is not valid JSON", { cause });
  }
}
