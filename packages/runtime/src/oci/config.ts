import type { ExecutionResources } from "../sandbox-runtime.ts";
import { idsPerSlot, type Slot } from "../slots.ts";
import { seccompProfile } from "./seccomp.ts";

/** What config.json depends on. */
export interface ConfigInput {
  readonly slot: Slot;
  /** A user namespace with the slot's ids; the others are made by runc and belong to it. */
  readonly userNamespacePath: string;
  readonly rootPath: string;
  readonly hostname: string;
  readonly resources: ExecutionResources;
  readonly env: Readonly<Record<string, string>>;
  readonly cgroupPath: string;
  /** Host directory with `node`, `daemon.mjs` and `init`. */
  readonly daemonDirectory: string;
  readonly hook: { readonly program: string; readonly args: readonly string[]; readonly env: readonly string[] };
  readonly host: HostTraits;
}

/** What differs between hosts. */
export interface HostTraits {
  readonly limitsSwap: boolean;
  readonly hasIpv6: boolean;
}

export const daemonMountPoint = "/.castellan";
const defaultPids = 1024;
/** Pseudo terminals of one sandbox, out of a number that the kernel has once for the host. */
const terminals = 256;
const mebibyte = 1024 * 1024;

/**
 * What root keeps of its powers, all of them over its own ids and namespaces only: what package managers, sudo and
 * debuggers need. NET_RAW is for ping; packet sockets are closed by the system call profile. Not NET_ADMIN: addresses
 * and routes belong to the host.
 */
const capabilities = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
  "SYS_PTRACE",
].map((name) => `CAP_${name}`);

/** What config.json holds. */
export type OciConfig = ReturnType<typeof ociConfig>;

/** An OCI configuration for runc, to be written as config.json; `gvisorConfig` makes one for runsc of it. */
export function ociConfig(input: ConfigInput) {
  const { slot, resources, host } = input;
  const memory = Math.round(resources.memoryMb * mebibyte);
  const idMapping = [{ containerID: 0, hostID: slot.firstId, size: idsPerSlot }];
  return {
    ociVersion: "1.0.2",
    hostname: input.hostname,
    root: { path: input.rootPath, readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      cwd: "/",
      args: [`${daemonMountPoint}/init`, "--", `${daemonMountPoint}/node`, `${daemonMountPoint}/daemon.mjs`],
      env: Object.entries({
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: "/root",
        ...input.env,
      }).map(([name, value]) => `${name}=${value}`),
      // sudo needs its set-user-id bit.
      noNewPrivileges: false,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      // When the host itself runs out of memory, sandboxes go before what serves them.
      oomScoreAdj: 100,
    },
    mounts: mounts(input),
    hooks: {
      // prestart and not createRuntime: it runs at a restore from a checkpoint too.
      prestart: [{ path: input.hook.program, args: input.hook.args, env: input.hook.env, timeout: 10 }],
    },
    linux: {
      namespaces: [
        { type: "user", path: input.userNamespacePath },
        ...["pid", "mount", "uts", "ipc", "network", "cgroup"].map((type) => ({ type })),
      ],
      uidMappings: idMapping,
      gidMappings: idMapping,
      cgroupsPath: input.cgroupPath,
      resources: {
        devices: [{ allow: false, access: "rwm" }],
        memory: { limit: memory, ...(host.limitsSwap ? { swap: memory } : {}) },
        cpu: {
          period: 100_000,
          quota: Math.round(resources.cpuCount * 100_000),
          shares: Math.round(resources.cpuCount * 1024),
        },
        pids: { limit: resources.pids ?? defaultPids },
      },
      sysctl: {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": `0 ${idsPerSlot - 1}`,
        ...(host.hasIpv6 ? { "net.ipv6.conf.eth0.disable_ipv6": "1" } : {}),
      },
      seccomp: seccompProfile(),
      rootfsPropagation: "rprivate",
      maskedPaths: [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
        "/sys/fs/selinux",
      ],
      // With cgroup v1 the mounts of the controllers are read-only, and the memory that they are mounted in is not.
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup"],
    },
  };
}

function mounts({ daemonDirectory, resources }: ConfigInput) {
  const sharedMemory = Math.max(Math.floor(resources.memoryMb / 2), 16);
  const quiet = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: quiet },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...quiet, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...quiet, "relatime", "ro"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "noexec", "strictatime", "mode=755", "size=64k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", `max=${terminals}`],
    },
    // Its pages count against the sandbox's memory like all others.
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...quiet, "mode=1777", `size=${sharedMemory}m`],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: quiet },
    {
      destination: daemonMountPoint,
      type: "bind",
      source: daemonDirectory,
      options: ["rbind", "ro", "nosuid", "nodev"],
    },
  ];
}
