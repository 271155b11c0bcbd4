import type { Attack } from "../attack.ts";

/** At the host's files, devices and processes, through what the sandbox sees of the machine. */
export const hostAttacks: readonly Attack[] = [
  {
    name: "write the kernel's settings: every file below /proc/sys and /sys, sysrq-trigger, core_pattern, modprobe",
    as: ["user", "root"],
    tries: `
same("nothing below /proc/sys opens for writing", writable_below("/proc/sys"), [])
same("nor below /sys", writable_below("/sys"), [])
refused("nor the files by which containers were left before", {path: writing(path) for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
  "/proc/sys/fs/binfmt_misc/register", "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/sys/power/state", "/proc/irq/default_smp_affinity", "/proc/mtrr", "/proc/acpi/wakeup")})
`,
    holds: [
      "nothing below /proc/sys opens for writing",
      "nor below /sys",
      "nor the files by which containers were left before",
    ],
    guard: "oci/config.ts: readonlyPaths, /sys mounted read-only, user namespace",
    otherwise: {
      gvisor: {
        labels: ["nothing below /proc/sys opens for writing", "nor the files by which containers were left before"],
        because: "these are gVisor's own settings; the runner compares the host's",
      },
    },
  },
  {
    name: "read the kernel's memory, keys, logs and addresses",
    as: ["user", "root"],
    tries: `
refused("nothing to read", {path: reading(path) for path in ("/proc/kcore", "/proc/kmsg", "/dev/kmsg", "/dev/mem", "/dev/kmem", "/dev/port", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/sys/kernel/debug/sched/debug", "/sys/kernel/tracing/trace", "/sys/kernel/security/lsm", "/proc/interrupts")})
try: symbols = [line for line in open("/proc/kallsyms") if int(line.split()[0], 16)][:3]
except OSError: symbols = []
same("symbols have no addresses", symbols, [])
try: firmware = os.listdir("/sys/firmware")
except OSError: firmware = []
same("firmware is covered", firmware, [])
`,
    holds: ["nothing to read", "symbols have no addresses", "firmware is covered"],
    guard: "oci/config.ts: maskedPaths, no CAP_SYSLOG; the kernel's kptr_restrict",
  },
  {
    name: "reach host files through the root, directory and descriptors of every process, and by paths that climb out",
    as: ["user", "root"],
    tries: `
secret = targets["secretFile"]
doors = ["", "/..", "/../../../../../.."]
for pid in filter(str.isdigit, os.listdir("/proc")):
    doors += [f"/proc/{pid}/root", f"/proc/{pid}/cwd"]
    try: doors += [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError: pass
doors += [f"/proc/self/fd/{fd}/{'../' * 12}" for fd in range(64)]
same("by no door", [door for door in doors if os.path.exists(door + secret) or os.path.exists(door + "/" + os.path.basename(secret))], [])
same("pid 1 holds no descriptor of a directory or a terminal", [os.readlink(f"/proc/1/fd/{fd}") for fd in os.listdir("/proc/1/fd") if os.path.isdir(f"/proc/1/fd/{fd}") or os.readlink(f"/proc/1/fd/{fd}").startswith(("/dev/tty", "/dev/pts"))] if os.access("/proc/1/fd", os.R_OK) else [], [])
`,
    holds: ["by no door", "pid 1 holds no descriptor of a directory or a terminal"],
    guard:
      "oci/config.ts: mount and pid namespaces, cwd /; oci/runc.ts: no descriptor of the node is inherited (CVE-2024-21626)",
  },
  {
    name: "see, signal, trace and read processes of the host",
    as: ["user", "root"],
    tries: `
pid = targets["hostPid"]
command = lambda p: open(f"/proc/{p}/cmdline", "rb").read().replace(b"\\0", b" ").decode(errors="replace")
mine = {}
for p in filter(str.isdigit, os.listdir("/proc")):
    try: mine[p] = command(p)
    except OSError: pass
same("the host's are not listed", [c for c in mine.values() if targets["hostCommand"] in c and "TARGETS" not in c], [])
refused("and not there by number", {"signal": lambda: os.kill(pid, 0), "trace": lambda: libc.ptrace(16, pid, 0, 0), "memory": reading(f"/proc/{pid}/mem")} if str(pid) not in mine else {})
`,
    holds: ["the host's are not listed", "and not there by number"],
    guard: "oci/config.ts: pid namespace",
  },
  {
    name: "overwrite the program that started the sandbox, or the daemon's (CVE-2019-5736)",
    as: ["user", "root"],
    tries: `
refused("not by /proc/*/exe", {f"/proc/{p}/exe": writing(f"/proc/{p}/exe") for p in filter(str.isdigit, os.listdir("/proc")) if os.path.exists(f"/proc/{p}/exe") and os.readlink(f"/proc/{p}/exe").startswith("/.castellan")} or {"/proc/1/exe": writing("/proc/1/exe")})
refused("nor by path", {**{name: writing(f"/.castellan/{name}") for name in ("node", "init", "daemon.mjs")},
  "new file": lambda: os.close(os.open("/.castellan/x", os.O_CREAT | os.O_WRONLY)), "unlink": lambda: os.unlink("/.castellan/node"),
  "rename": lambda: os.rename("/.castellan", "/x"), "replace": lambda: os.rename("/.castellan/node", "/.castellan/n"), "chmod": lambda: os.chmod("/.castellan/daemon.mjs", 0o777), "chown": lambda: os.chown("/.castellan/node", 1, 1),
  "link": lambda: os.link("/.castellan/node", "/.castellan/m"), "truncate": lambda: os.truncate("/.castellan/daemon.mjs", 0)})
`,
    holds: ["not by /proc/*/exe", "nor by path"],
    guard:
      "oci/config.ts: the daemon's directory is a read-only mount of files that another id owns; runc is never run in a running sandbox",
  },
  {
    name: "make and open devices: memory, disks, loop, KVM, FUSE, TUN, consoles",
    as: ["user", "root"],
    tries: `
devices = {"mem": (1, 1), "kmsg": (1, 11), "null": (1, 3), "sda": (8, 0), "vda": (254, 0), "loop0": (7, 0), "loop-control": (10, 237), "kvm": (10, 232), "fuse": (10, 229), "tun": (10, 200), "console": (5, 1), "tty0": (4, 0), "vhost-net": (10, 238), "btrfs-control": (10, 234)}
block = ("sda", "vda", "loop0")
def made(name, place):
    path = f"{place}/device-{name}"
    def attempt():
        os.mknod(path, 0o666 | (stat.S_IFBLK if name in block else stat.S_IFCHR), os.makedev(*devices[name]))
        try: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        finally: os.unlink(path)
    return attempt
refused("none can be made, on disk or in memory", {f"{place}/{name}": made(name, place) for name in devices for place in ("/tmp", "/dev/shm")})
refused("and none is there", {name: (lambda n=name: os.close(os.open(f"/dev/{n}", os.O_RDWR | os.O_NONBLOCK))) for name in ("mem", "kmem", "kmsg", "port", "sda", "vda", "loop0", "loop-control", "kvm", "fuse", "net/tun", "console", "tty0", "tty1", "vhost-net", "mapper/control", "btrfs-control", "userfaultfd", "snd/timer", "dri/card0")})
`,
    holds: ["none can be made, on disk or in memory", "and none is there"],
    guard: "oci/config.ts: user namespace, no CAP_MKNOD, no device in the cgroup's list, nodev",
    otherwise: {
      gvisor: {
        labels: ["none can be made, on disk or in memory", "and none is there"],
        because: "gVisor lets null, fuse and tun be made and opened: all three are its own, and reach nothing outside",
      },
    },
  },
  {
    name: "take over a terminal of the host, by /dev/tty, TIOCSTI or what pid 1 holds",
    as: ["user", "root"],
    tries: `
os.setsid() if os.getpid() != os.getsid(0) else None
refused("there is none", {"/dev/tty": lambda: os.close(os.open("/dev/tty", os.O_RDWR)), "/dev/console": lambda: os.close(os.open("/dev/console", os.O_RDWR))})
def push():
    for fd in os.listdir("/proc/1/fd"):
        handle = os.open(f"/proc/1/fd/{fd}", os.O_RDWR)
        try: fcntl.ioctl(handle, 0x5412, b"x")
        finally: os.close(handle)
code = outcome(push)
report("and nothing takes a pushed key", code is not None, code)
`,
    holds: ["there is none", "and nothing takes a pushed key"],
    guard: "oci/config.ts: terminal false; oci/runc.ts: standard streams are /dev/null",
    otherwise: {
      gvisor: { labels: ["there is none"], because: "there is none, which gVisor says by another error (EIO)" },
    },
  },
  {
    name: "write cgroups: release_agent, limits, membership, new groups",
    as: ["user", "root"],
    tries: `
same("no file opens for writing", writable_below("/sys/fs/cgroup"), [])
groups = [d for d, _, _ in os.walk("/sys/fs/cgroup")]
refused("no group can be made", {d: (lambda d=d: os.mkdir(d + "/x")) for d in groups})
same("and none of another sandbox is seen", [d for d in groups if "castellan" in d], [])
`,
    holds: ["no file opens for writing", "no group can be made", "and none of another sandbox is seen"],
    guard: "oci/config.ts: cgroup namespace, /sys/fs/cgroup mounted read-only",
  },
  {
    name: "find shared memory, queues and semaphores of the host",
    as: ["user", "root"],
    tries: `
same("not the segment of the host", (libc.shmget(targets["shmKey"], 0, 0), ctypes.get_errno()), (-1, errno.ENOENT))
try: segments = len(open("/proc/sysvipc/shm").readlines()) - 1
except OSError: segments = 0
same("none is listed", segments, 0)
same("nor its files in memory", [n for n in os.listdir("/dev/shm") if n == targets["shmName"]], [])
`,
    holds: ["not the segment of the host", "none is listed", "nor its files in memory"],
    guard: "oci/config.ts: ipc namespace, /dev/shm of its own",
  },
  {
    name: "stay root outside by set-user-id, capabilities on files, and ids beyond the sandbox's",
    as: ["user", "root"],
    tries: `
import subprocess
same("sudo gives root", subprocess.run(["sudo", "-n", "id", "-u"], capture_output=True, text=True).stdout.strip(), "0")
begin, outside, count = map(int, open("/proc/self/uid_map").read().split())
same("who is nobody outside", (begin, outside >= 65536 or targets["isolation"] == "gvisor", count), (0, True, 65536))
def beyond(action):
    def attempt():
        try: action()
        except OSError as error: raise OSError(errno.EPERM if error.errno in (errno.EINVAL, errno.EOVERFLOW, errno.EPERM) else error.errno, "")
    return attempt
os.close(os.open("/tmp/mine", os.O_CREAT | os.O_WRONLY))
refused("ids beyond the sandbox's cannot be taken", {"chown": beyond(lambda: os.chown("/tmp/mine", 70000, 70000)), "setuid": beyond(lambda: os.setuid(70000))})
`,
    holds: ["sudo gives root", "who is nobody outside", "ids beyond the sandbox's cannot be taken"],
    guard: "oci/config.ts: uidMappings, 65,536 ids of its own per slot (slots.ts)",
    otherwise: {
      gvisor: {
        labels: ["sudo gives root", "who is nobody outside", "ids beyond the sandbox's cannot be taken"],
        because:
          "gVisor ignores set-user-id, maps ids outside alone (packages/runtime/src/isolations.test.ts looks from there), and " +
          "an id beyond is a number of its own that owns no file of the disk",
      },
    },
  },
];
