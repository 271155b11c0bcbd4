export { type ControlPlane, createControlPlane, type RouteTarget } from "./control-plane.ts";
export { type ControlPlaneOptions, defaultLimits, defaultTiming, type Limits, type Timing } from "./options.ts";
