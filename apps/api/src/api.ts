import { createRestServer, serveDocs } from "@castellan/rest";
import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";
import { createAuthenticator } from "./auth/api-keys.ts";
import { connectHandlers } from "./handlers/connect.ts";
import { eventHandlers } from "./handlers/events.ts";
import { lifetimeHandlers } from "./handlers/lifetime.ts";
import { logsHandlers } from "./handlers/logs.ts";
import { metadataHandlers } from "./handlers/metadata.ts";
import { metricsHandlers } from "./handlers/metrics.ts";
import { networkHandlers } from "./handlers/network.ts";
import { sandboxHandlers } from "./handlers/sandbox.ts";
import { createHandlers } from "./handlers/sandboxes-create.ts";
import { listHandlers } from "./handlers/sandboxes-list.ts";
import { serviceHandlers } from "./handlers/service.ts";
import { webhookHandlers } from "./handlers/webhooks.ts";
import { limitRequests } from "./request-rate.ts";
import type { Services } from "./services.ts";

/** The REST API, ready and not listening. */
export async function createApi(services: Services): Promise<FastifyInstance> {
  const rest = createRestServer({
    handlers: {
      ...serviceHandlers(services),
      ...createHandlers(services),
      ...listHandlers(services),
      ...sandboxHandlers(services),
      ...lifetimeHandlers(services),
      ...connectHandlers(services),
      ...metadataHandlers(services),
      ...networkHandlers(services),
      ...metricsHandlers(services),
      ...logsHandlers(services),
      ...eventHandlers(services),
      ...webhookHandlers(services),
    },
    authenticate: createAuthenticator(services.store),
    logger: services.logger,
    internalMessages: { patchSandboxMetadata: "Error patching sandbox metadata" },
  });
  // Keys travel in a header that no browser adds by itself, so any page may ask; the headers it wants are allowed as asked.
  await rest.register(cors, {
    origin: "*",
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposedHeaders: [
      "X-Next-Token",
      "X-Total-Running",
      "Retry-After",
      "ETag",
      "RateLimit-Limit",
      "RateLimit-Remaining",
      "RateLimit-Reset",
    ],
    maxAge: 7200,
    // Its own refusal of an OPTIONS that is no preflight is plain text.
    strictPreflight: false,
  });
  await limitRequests(rest);
  await serveDocs(rest);
  await rest.ready();
  return rest;
}
