export { createEdge } from "./create-edge.ts";
export type { Edge, EdgeOptions } from "./edge.ts";
export { defaultLimits, type EdgeLimits } from "./limits.ts";
export type { Locate, RouteTarget } from "./route.ts";
export { edgeServerOptions } from "./server.ts";
export type { ListLiveTokens, LiveToken, LiveTokenPage } from "./signatures/live-tokens.ts";
export { locateInStore } from "./store-locate.ts";
