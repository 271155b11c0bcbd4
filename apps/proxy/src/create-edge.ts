import type { Edge, EdgeOptions } from "./edge.ts";

export function createEdge(options: EdgeOptions): Edge {
  const edge: Edge = {
    handle: (request, response) => options.api?.(request, response),
    upgrade: (_request, socket) => socket.destroy(),
    attach: (server) => server.on("request", edge.handle).on("upgrade", edge.upgrade),
    invalidate: () => {},
    close: () => {},
  };
  return edge;
}
