import { isIsolation } from "@castellan/domain";
import type { PublicHandlers, SecuredHandlers } from "@castellan/rest";
import type { Services } from "../services.ts";
import { presentTime } from "./presenting.ts";

export function serviceHandlers({
  store,
  clock,
  version,
}: Services): Pick<SecuredHandlers, "listNodes"> & PublicHandlers {
  return {
    async getHealth() {
      // A store that does not answer makes this a 503.
      await store.now();
      const { kind, durability } = store.describe();
      return { status: 200, body: { status: "ok", version, store: { kind, durability } } };
    },

    async listNodes() {
      const now = clock.now();
      const nodes = await store.listNodes();
      return {
        status: 200,
        body: nodes
          .map((node) => ({
            nodeID: node.nodeId,
            bootID: node.bootId,
            status: node.leaseExpiresAt > now ? ("ready" as const) : ("lost" as const),
            address: node.address,
            version: node.version,
            isolation: node.isolation,
            isolations: node.isolations.filter(isIsolation),
            sandboxes: node.usage.sandboxes,
            capacity: node.capacity,
            leaseExpiresAt: presentTime(node.leaseExpiresAt),
            capabilities: { pauseWithMemory: node.pauseWithMemory },
          }))
          .sort((a, b) => (a.nodeID < b.nodeID ? -1 : 1)),
      };
    },
  };
}
