// One server of the PATCH comparison, in a process of its own: `push` and `push-off` are the API itself, with and
// without its push; `lua` is fastify with one bare Lua call, the ceiling of any PATCH over Redis. Prints its URL, and tells
// its parent, whenever that sends a message, how many messages it has
// pushed to nodes.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createControlPlane } from "@castellan/api";
import { openStore } from "@castellan/store";
import { createLogger } from "@castellan/telemetry";
import { fastify } from "fastify";
import { Redis } from "ioredis";

const [mode, storeUrl, data] = process.argv.slice(2);
if (mode === undefined || storeUrl === undefined || data === undefined) {
  throw new Error("Usage: patch-server.ts push|push-off|lua STORE DATA");
}
process.stdout.write(`${mode === "lua" ? await bareLua(storeUrl) : await api(mode === "push", storeUrl, data)}\n`);

async function api(push: boolean, store: string, directory: string): Promise<string> {
  const logger = createLogger("bench", "error");
  const clusterToken = (await readFile(join(directory, "cluster-token"), "utf8")).trim();
  const controlPlane = await createControlPlane({
    store: await openStore(store, { logger }),
    clusterToken,
    domain: "localhost:3000",
    logger,
    push: push ? "on" : "off",
  });
  process.on("message", () => process.send?.(controlPlane.pushed().messages));
  return await controlPlane.rest.listen({ host: "127.0.0.1", port: 0 });
}

async function bareLua(url: string): Promise<string> {
  const redis = new Redis(url);
  const sha = await redis.script(
    "LOAD",
    "redis.call('HSET', KEYS[1], 'metadata', ARGV[1]) return redis.call('HINCRBY', KEYS[1], 'revision', 1)",
  );
  const server = fastify();
  server.patch<{ Params: { id: string }; Body: Record<string, string | null> }>(
    "/sandboxes/:id/metadata",
    {
      schema: {
        body: { type: "object", additionalProperties: { type: "string" } },
        response: { 200: { type: "object", properties: { revision: { type: "integer" } } } },
      },
    },
    async (request) => {
      const revision = await redis.evalsha(
        String(sha),
        1,
        `bench:{${request.params.id}}`,
        JSON.stringify(request.body),
      );
      return { revision };
    },
  );
  return await server.listen({ host: "127.0.0.1", port: 0 });
}
