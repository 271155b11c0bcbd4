/** What a team's sandboxes and requests may be; what is absent has no limit of the team's own. */
export interface TeamLimits {
  /** The longest life that a request may ask for, in seconds. */
  readonly maxTimeoutSeconds?: number;
  /** Of one sandbox. */
  readonly maxCpuCount?: number;
  /** MiB of one sandbox. */
  readonly maxMemoryMb?: number;
  /** MiB of one sandbox's writable layer. */
  readonly maxDiskMb?: number;
  /** Requests of each of its API keys in one second, to each process of the API. */
  readonly requestsPerSecond?: number;
}

/** What is said about a template on top of what it says itself. */
export interface TemplateLimits {
  /** The life of a sandbox whose request names none, in seconds; absent: the route's own default. */
  readonly defaultTimeoutSeconds?: number;
  /** The longest life that a request may ask for, in seconds. */
  readonly maxTimeoutSeconds?: number;
  /** Resources of its sandboxes, in place of the template's own. */
  readonly cpuCount?: number;
  /** MiB */
  readonly memoryMb?: number;
  /** MiB */
  readonly diskMb?: number;
}
