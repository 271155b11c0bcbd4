import { openapiDocument } from "@castellan/contracts/openapi-document";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";

/**
 * Serves the contract at `/openapi.json` and a page to read it and try it at `/docs`. Everything comes from this server,
 * so it works without the internet.
 */
export async function serveDocs(server: FastifyInstance): Promise<void> {
  // The address that a reader came by, rather than the one in the document.
  const document = { ...openapiDocument, servers: [{ url: "/" }] };
  const json = JSON.stringify(document);
  server.get("/openapi.json", { schema: { hide: true } }, async (_request, reply) =>
    reply.type("application/json; charset=utf-8").send(json),
  );
  await server.register(swagger, { mode: "static", specification: { document: JSON.parse(json) } });
  await server.register(swaggerUi, {
    routePrefix: "/docs",
    // Its own default would have browsers ask for the scripts by https, which is not there on a plain address.
    staticCSP: {
      "default-src": ["'self'"],
      "img-src": ["'self'", "data:"],
      "style-src": ["'self'", "'unsafe-inline'"],
      "object-src": ["'none'"],
      "base-uri": ["'none'"],
      "frame-ancestors": ["'none'"],
    },
    logLevel: "warn",
    uiConfig: { docExpansion: "list", deepLinking: true, persistAuthorization: false, validatorUrl: null },
    theme: { title: openapiDocument.info.title },
  });
}
