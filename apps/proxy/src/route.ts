/** Where a sandbox runs, and who may talk to it. */
export interface RouteTarget {
  readonly sandboxId: string;
  /** New at every start, resume and fork; no connection outlives it. */
  readonly executionId: string;
  readonly state: "running" | "paused";
  /** `host:port` of the gateway of its node; says nothing while the sandbox is paused. */
  readonly gatewayAddress: string;
  /** What a request must carry when the sandbox takes no public traffic. */
  readonly trafficAccessToken?: string;
  /** Without it only requests with the token reach ports other than the daemon's. */
  readonly publicTraffic: boolean;
}

/**
 * Answers `undefined` when there is no such sandbox. Rejects when that cannot be said now: unknown is not gone.
 * `fresh` means that an answer from a cache will not do.
 */
export type Locate = (sandboxId: string, options?: { readonly fresh?: boolean }) => Promise<RouteTarget | undefined>;
