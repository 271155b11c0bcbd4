/** What the edge allows. Every duration is in milliseconds. */
export interface EdgeLimits {
  /** Until the store has said where a sandbox runs. */
  readonly locateTimeoutMs: number;
  /** Until a node's gateway has connected to the port, or refused. */
  readonly connectTimeoutMs: number;
  /** How long a known place is used without asking again. A node that no longer has the execution says so at once. */
  readonly routeTtlMs: number;
  /** Known places that are kept. */
  readonly maxRoutes: number;
  /** Connections of clients, idle or not; further ones are closed at once. */
  readonly maxConnections: number;
  /** Requests and upgraded connections of one execution at a time; beyond that 429. */
  readonly maxRequestsPerExecution: number;
  /** Idle connections that are kept for one port of one execution. */
  readonly maxIdlePerPort: number;
  /**
   * How long an idle connection into a sandbox is kept. Below what servers inside commonly allow (2 s and up), as a
   * request that meets a closing connection cannot always be repeated.
   */
  readonly idleMs: number;
  /** How long the rest of a request is read, and dropped, after its answer. */
  readonly unreadBodyMs: number;
  /** Until a request to the API has arrived in full. Requests to sandboxes may take as long as they like. */
  readonly apiRequestTimeoutMs: number;
  /** Secure sandboxes among which the one of a signed URL without a sandbox is looked for; beyond that it is refused. */
  readonly maxSearchedSandboxes: number;
  /**
   * Sandboxes that are tried for signed URLs in one second, for one client's address and for all: with 1,000 sandboxes a
   * client may ask for 150 files a second. Trying one takes about 2 µs.
   */
  readonly searchesPerClient: number;
  readonly searchesOverall: number;
}

export const defaultLimits: EdgeLimits = {
  locateTimeoutMs: 5_000,
  connectTimeoutMs: 10_000,
  routeTtlMs: 1_000,
  maxRoutes: 10_000,
  maxConnections: 16_384,
  maxRequestsPerExecution: 1_000,
  maxIdlePerPort: 32,
  idleMs: 1_500,
  unreadBodyMs: 5_000,
  apiRequestTimeoutMs: 300_000,
  maxSearchedSandboxes: 10_000,
  searchesPerClient: 150_000,
  searchesOverall: 300_000,
};
