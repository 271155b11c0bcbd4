import type { Attack } from "../attack.ts";

/** At the daemon, from a user who is not root. */
export const daemonAttacks: readonly Attack[] = [
  {
    name: "read and stop the daemon as an ordinary user: memory, environment, descriptors, tracing, signals",
    as: ["user"],
    tries: `
daemons = [p for p in filter(str.isdigit, os.listdir("/proc")) if os.stat(f"/proc/{p}").st_uid == 0 and b"daemon.mjs" in open(f"/proc/{p}/cmdline", "rb").read()]
report("the daemon is there", len(daemons) >= 1, daemons)
tries, told = {}, {}
for p in daemons + ["1"]:
    pid = int(p)
    def remote():
        local = ctypes.create_string_buffer(64); vec = struct.pack("PN", ctypes.addressof(local), 64); away = struct.pack("PN", 0x400000, 64)
        return libc.syscall(ctypes.c_long(310 if x86 else 270), ctypes.c_long(pid), vec, ctypes.c_ulong(1), away, ctypes.c_ulong(1), ctypes.c_ulong(0))
    told.update({f"{p} environ": reading(f"/proc/{p}/environ"), f"{p} maps": reading(f"/proc/{p}/maps"), f"{p} fd": lambda p=p: os.listdir(f"/proc/{p}/fd") and None})
    tries.update({f"{p} mem": reading(f"/proc/{p}/mem"), f"{p} trace": lambda pid=pid: libc.ptrace(16, pid, 0, 0), f"{p} attach": lambda pid=pid: libc.ptrace(0x4206, pid, 0, 0), f"{p} kill": lambda pid=pid: os.kill(pid, 9), f"{p} read": remote,
      f"{p} descriptor": lambda pid=pid: libc.syscall(ctypes.c_long(438), ctypes.c_int(libc.syscall(ctypes.c_long(434), ctypes.c_int(pid), 0)), 0, 0)})
refused("it is out of reach", tries)
refused("and its files tell nothing", told)
`,
    holds: ["the daemon is there", "it is out of reach", "and its files tell nothing"],
    guard: "apps/envd/src/process/launch.ts: commands run as their user, the daemon as root",
    otherwise: {
      gvisor: {
        labels: ["and its files tell nothing"],
        because:
          "gVisor shows the environment and the memory map of every process to every user inside; the daemon's holds the " +
          "hash of its secret only",
      },
    },
  },
  {
    name: "find the node's secret for the daemon",
    as: ["user", "root"],
    tries: `
import subprocess
found = []
for p in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            if targets["secret"].encode() in open(f"/proc/{p}/{name}", "rb").read(): found.append(f"{p}/{name}")
        except OSError: pass
same("no process carries it", [f for f in found if f.split("/")[0] != str(os.getpid()) and f.split("/")[0] != str(os.getppid())], [])
s = socket.create_connection(("127.0.0.1", 49983), 5)
s.sendall(b"POST /init HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer guess\\r\\ncontent-type: application/json\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\n{}")
same("a guess is refused", s.recv(99).split()[1], b"401")
`,
    holds: ["no process carries it", "a guess is refused"],
    guard: "apps/orchestrator: the daemon is told the SHA-256 alone; apps/envd/src/init.ts",
  },
];
