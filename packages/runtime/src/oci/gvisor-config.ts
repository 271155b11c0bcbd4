import type { OciConfig } from "./config.ts";

/** Of one process. gVisor keeps the count by itself. */
const openFiles = 65_536;

/**
 * The same sandbox for gVisor. Its network namespace is the one that runsc is started in; its user namespace runsc makes
 * itself, having too many threads to enter one. Its system calls end in a kernel of their own, which has no cgroups,
 * message queues or network settings to offer.
 */
export function gvisorConfig(config: OciConfig) {
  const { hooks: _, ...rest } = config;
  const { seccomp: __, sysctl: ___, ...linux } = config.linux;
  const namespaces = linux.namespaces.map(({ type }) =>
    type === "network" ? { type, path: "/proc/self/ns/net" } : { type },
  );
  const { pids } = linux.resources;
  return {
    ...rest,
    process: {
      ...config.process,
      rlimits: [
        { type: "RLIMIT_NOFILE", soft: openFiles, hard: openFiles },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ],
      // Memory of all processes inside is gVisor's own: when it runs out, ending anything else would free none of it.
      oomScoreAdj: 1000,
    },
    mounts: config.mounts.filter(({ type }) => type !== "cgroup" && type !== "mqueue"),
    linux: {
      ...linux,
      namespaces,
      resources: { ...linux.resources, pids: { limit: hostTasks(pids.limit) } },
    },
  };
}

/** Every thread inside is one or two on the host, beside those of gVisor itself. */
function hostTasks(pids: number): number {
  return 4 * pids + 512;
}
