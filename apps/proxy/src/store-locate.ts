import { CastellanError, publicState } from "@castellan/domain";
import type { SandboxStore } from "@castellan/store";
import type { Locate, RouteTarget } from "./route.ts";

/** How long a node's gateway is taken to be where it was, in ms. A node that moves refuses, which asks again. */
const gatewayKnownMs = 5_000;

/**
 * Locates sandboxes by what the store says of them. A sandbox whose node does not answer counts as running: unknown is
 * not gone.
 */
export function locateInStore(store: Pick<SandboxStore, "locate" | "listNodes">): Locate {
  let gateways = new Map<string, string>();
  let until = 0;

  async function gatewayOf(nodeId: string, fresh: boolean): Promise<string> {
    if (fresh || performance.now() > until || !gateways.has(nodeId)) {
      gateways = new Map((await store.listNodes()).map((node) => [node.nodeId, node.gatewayAddress]));
      until = performance.now() + gatewayKnownMs;
    }
    const address = gateways.get(nodeId);
    if (address === undefined) throw new CastellanError("unavailable", `Node "${nodeId}" is not registered`);
    return address;
  }

  return async (sandboxId, { fresh = false } = {}) => {
    const record = await store.locate(sandboxId);
    const state = record && publicState(record.state);
    if (!record || !state) return undefined;
    const target: RouteTarget = {
      sandboxId,
      executionId: record.executionId,
      state,
      gatewayAddress: state === "running" ? await gatewayOf(record.nodeId, fresh) : "",
      publicTraffic: record.trafficAccessToken === undefined,
      ...(record.trafficAccessToken !== undefined && { trafficAccessToken: record.trafficAccessToken }),
    };
    return target;
  };
}
