import { CastellanError } from "@castellan/domain";
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";

/** API keys whose requests are counted at once; beyond it those that have not asked for longest begin anew. */
const countedKeys = 10_000;

/**
 * Holds each API key to the requests per second that its team may make, in this process: several processes of the API
 * allow so many each. Requests of teams without such a limit are not counted. The headers say where a key stands.
 */
export async function limitRequests(rest: FastifyInstance): Promise<void> {
  await rest.register(rateLimit, { global: false, enableDraftSpec: true, cache: countedKeys });
  const limit = rest.rateLimit({
    timeWindow: 1_000,
    allowList: (request) => request.caller?.team.limits?.requestsPerSecond === undefined,
    keyGenerator: (request) => request.caller?.apiKeyId ?? "",
    max: (request) => request.caller?.team.limits?.requestsPerSecond ?? 0,
    errorResponseBuilder: (_request, { ttl }) =>
      new CastellanError("quota_exceeded", "Rate limit exceeded", {
        retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1000)),
      }),
  });
  // Once it is known who asks, and before the body is read.
  rest.addHook("preParsing", limit);
}
