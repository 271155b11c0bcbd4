/** A guard taken out of the source, and the attack that must notice. */
export interface RemovedGuard {
  readonly guard: string;
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  /** `attacks` or `limits`: the test file. */
  readonly file: "attacks" | "limits";
  /** The beginning of the attack's name. */
  readonly attack: string;
}

const runtime = "packages/runtime/src";
const config = `${runtime}/oci/config.ts`;
const syscalls = `${runtime}/oci/syscalls.ts`;
const seccomp = `${runtime}/oci/seccomp.ts`;
const ruleset = `${runtime}/network/ruleset.ts`;
const protectedRanges = { file: ruleset, from: "    ...to(protectedRanges, refuse),\n", to: "" };
const capability = (name: string) => ({ file: config, from: '  "AUDIT_WRITE",', to: `  "AUDIT_WRITE",\n  "${name}",` });

export const removedGuards: readonly RemovedGuard[] = [
  {
    guard: "the host's own ports are closed to sandboxes",
    edits: [{ file: ruleset, from: " goto tohost`", to: " counter`" }],
    file: "attacks",
    attack: "connect to the API",
  },
  {
    guard: "nothing goes from sandbox to sandbox, twice: by interface and as a private address",
    edits: [
      { file: ruleset, from: ' drop`, "iifname vmap @sandboxes"', to: ' counter`, "iifname vmap @sandboxes"' },
      protectedRanges,
    ],
    file: "attacks",
    attack: "connect to another sandbox",
  },
  {
    guard: "private and link-local ranges are refused",
    edits: [protectedRanges],
    file: "attacks",
    attack: "ask the cloud",
  },
  {
    guard: "root may not change the network",
    edits: [capability("NET_ADMIN")],
    file: "attacks",
    attack: "change addresses",
  },
  {
    guard: "only four families of sockets",
    edits: [{ file: seccomp, from: "[1, 2, 10, 16];", to: "[1, 2, 10, 16, 17, 38];" }],
    file: "attacks",
    attack: "open sockets",
  },
  {
    guard: "the kernel's settings are read-only",
    edits: [{ file: config, from: '"/proc/irq", "/proc/sys", ', to: '"/proc/irq", ' }],
    file: "attacks",
    attack: "write the kernel",
  },
  {
    guard: "what tells about the machine is masked",
    edits: [{ file: config, from: '        "/proc/interrupts",\n', to: "" }],
    file: "attacks",
    attack: "read the kernel",
  },
  {
    guard: "the memory that cgroups are mounted in is read-only",
    edits: [{ file: config, from: ', "/sys/fs/cgroup"],', to: "]," }],
    file: "attacks",
    attack: "write cgroups",
  },
  {
    guard: "clone makes no namespaces",
    edits: [
      {
        file: seccomp,
        from: '...unlessFlags("clone", namespaceFlags),',
        to: 'allow("clone", { index: 0, value: 0, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),',
      },
    ],
    file: "attacks",
    attack: "make or enter namespaces",
  },
  {
    guard: "mounts stay as they are, twice: by capability and by system call",
    edits: [
      capability("SYS_ADMIN"),
      { file: syscalls, from: "mount mount_setattr move_mount", to: "move_mount" },
      { file: syscalls, from: "swapon syslog umount2 uselib", to: "swapon syslog uselib" },
      { file: syscalls, from: "`access chdir", to: "`access mount mount_setattr umount2 chdir" },
    ],
    file: "attacks",
    attack: "mount, unmount",
  },
  {
    guard: "no key rings",
    edits: [
      { file: syscalls, from: "`acct add_key bpf", to: "`acct bpf" },
      { file: syscalls, from: "`access chdir", to: "`access add_key chdir" },
    ],
    file: "attacks",
    attack: "use what reaches into the kernel",
  },
  {
    guard: "the daemon knows the hash of its node's secret alone",
    edits: [
      {
        file: "apps/orchestrator/src/daemon/secrets.ts",
        from: "    CASTELLAN_INIT_SHA256: sha256(secret),",
        to: "    CASTELLAN_INIT_SHA256: sha256(secret),\n    PLAIN: secret,",
      },
    ],
    file: "attacks",
    attack: "find the node's secret",
  },
  {
    guard: "what the kernel counts by user is counted by sandbox",
    edits: [
      {
        file: `${runtime}/disk/user-namespace.ts`,
        from: "[...owner, ...power,",
        to: "[...power,",
      },
    ],
    file: "limits",
    attack: "what the kernel has once",
  },
  {
    guard: "the buffers of sockets are limited",
    edits: [
      {
        file: `${runtime}/cgroup/groups.ts`,
        from: "if (tree === undefined || !existsSync(join(tree, this.#parent, limit))) return;",
        to: "if (tree === undefined || memoryBytes > 0) return;",
      },
    ],
    file: "limits",
    attack: "the kernel's memory",
  },
  {
    guard: "processes and threads are limited",
    edits: [{ file: config, from: "resources.pids ?? defaultPids }", to: "20_000 }" }],
    file: "limits",
    attack: "threads",
  },
  {
    guard: "files in /dev/shm take half of the memory at most",
    edits: [{ file: config, from: "Math.max(Math.floor(resources.memoryMb / 2), 16)", to: "4 * resources.memoryMb" }],
    file: "limits",
    attack: "memory, by files in /dev/shm",
  },
  {
    guard: "connections are limited",
    edits: [{ file: ruleset, from: "connectionLimit = 4096;", to: "connectionLimit = 4_000_000;" }],
    file: "limits",
    attack: "connections",
  },
];
