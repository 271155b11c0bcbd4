import type { Attack } from "../attack.ts";

/** At the kernel, by system call. */
export const kernelAttacks: readonly Attack[] = [
  {
    name: "make or enter namespaces",
    as: ["user", "root"],
    tries: `
flags = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "network": 0x40000000}
refused("unshare", {name: (lambda f=flag: libc.unshare(f)) for name, flag in {**flags, "time": 0x80}.items()})
def cloned(flag):
    def attempt():
        pid = libc.syscall(ctypes.c_long(56 if x86 else 220), ctypes.c_ulong(flag | 17), None, None, None, None)
        if pid == 0: os._exit(0)
        if pid > 0: os.waitpid(pid, 0)
        return pid
    return attempt
refused("clone", {name: cloned(flag) for name, flag in flags.items()})
refused("clone3, whose flags no filter sees", {"clone3": call(435, 0, 0)})
def entered(name):
    def attempt():
        fd = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
        try: return libc.setns(fd, 0)
        finally: os.close(fd)
    return attempt
refused("setns", {name: entered(name) for name in ("mnt", "net", "pid", "user", "uts", "ipc")})
`,
    holds: ["unshare", "clone", "clone3, whose flags no filter sees", "setns"],
    guard: "oci/seccomp.ts: unlessFlags; oci/syscalls.ts: setns refused, clone3 in no list",
    otherwise: {
      gvisor: {
        labels: ["unshare", "clone", "clone3, whose flags no filter sees", "setns"],
        because: "namespaces inside are gVisor's own objects; the host's are not reached by them",
      },
    },
  },
  {
    name: "mount, unmount, bind over a mask, move mounts and change the root",
    as: ["user", "root"],
    tries: `
os.makedirs("/tmp/mnt", exist_ok=True)
refused("old calls", {
    "tmpfs": lambda: libc.mount(b"x", b"/tmp/mnt", b"tmpfs", 0, None),
    "proc": lambda: libc.mount(b"proc", b"/tmp/mnt", b"proc", 0, None),
    "bind over a mask": lambda: libc.mount(b"/dev/null", b"/proc/kcore", None, 4096, None),
    "remount /proc/sys": lambda: libc.mount(None, b"/proc/sys", None, 32 | 4096, None),
    "remount the daemon's directory": lambda: libc.mount(None, b"/.castellan", None, 32 | 4096, None),
    "cgroup v1": lambda: libc.mount(b"cgroup", b"/tmp/mnt", b"cgroup", 0, b"memory"),
    "overlay": lambda: libc.mount(b"o", b"/tmp/mnt", b"overlay", 0, b"lowerdir=/,upperdir=/tmp,workdir=/tmp/mnt"),
    "umount mask": lambda: libc.umount2(b"/proc/kcore", 2),
    "umount root": lambda: libc.umount2(b"/", 2),
    "pivot_root": call(155 if x86 else 41, b"/tmp/mnt", b"/tmp/mnt"),
})
refused("new calls", {
    "open_tree": call(428, -100 & (2**64 - 1), b"/", 1), "move_mount": call(429, 0, b"", 0, b"/tmp/mnt", 4), "fsopen": call(430, b"tmpfs", 0),
    "fsconfig": call(431, 0, 0, 0, 0, 0), "fsmount": call(432, 0, 0, 0), "fspick": call(433, 0, b"/", 0), "mount_setattr": call(442, 0, b"", 0, 0, 0),
})
`,
    holds: ["old calls", "new calls"],
    guard: "oci/syscalls.ts: refusedCalls; oci/config.ts: no CAP_SYS_ADMIN",
    otherwise: {
      gvisor: { labels: ["new calls"], because: "gVisor knows none of them and says so in its own words" },
    },
  },
  {
    name: "leave the root by chroot and a descriptor kept open",
    as: ["root"],
    tries: `
os.makedirs("/tmp/cell", exist_ok=True)
fd = os.open("/", os.O_RDONLY)
os.chroot("/tmp/cell"); os.fchdir(fd)
for _ in range(64): os.chdir("..")
os.chroot(".")
same("the highest directory is still the sandbox's", os.path.exists("/.castellan/daemon.mjs"), True)
same("and no file of the host is below it", os.path.exists(targets["secretFile"]), False)
`,
    holds: ["the highest directory is still the sandbox's", "and no file of the host is below it"],
    guard: "runc's pivot_root into a mount namespace of its own (oci/config.ts)",
    otherwise: {
      gvisor: {
        labels: ["the highest directory is still the sandbox's"],
        because: "above the sandbox's root gVisor has an empty directory of its own",
      },
    },
  },
  {
    name: "use what reaches into the kernel: BPF, perf, userfaultfd, io_uring, key rings, modules, kexec, handles",
    as: ["user", "root"],
    tries: `
numbers = {"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
  "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
  "kexec_load": (246, 104), "kexec_file_load": (320, 294), "open_by_handle_at": (304, 265), "syslog": (103, 116), "quotactl": (179, 60), "acct": (163, 89),
  "swapon": (167, 224), "swapoff": (168, 225), "fanotify_init": (300, 262), "lookup_dcookie": (212, 18), "move_pages": (279, 239), "migrate_pages": (256, 238), "vhangup": (153, 58)}
refused("all of them", {name: call(pair[0 if x86 else 1], 1, 0, 0, 0, 0) for name, pair in numbers.items()})
if x86: refused("and the ports of the machine", {"iopl": call(172, 3), "ioperm": call(173, 0, 8, 1)})
else: report("and the ports of the machine", True, "none")
`,
    holds: ["all of them", "and the ports of the machine"],
    guard: "oci/syscalls.ts: refusedCalls, and io_uring in no list",
    otherwise: {
      gvisor: {
        labels: ["all of them", "and the ports of the machine"],
        because: "these are calls to gVisor's kernel, not to the host's",
      },
    },
  },
  {
    name: "reboot the machine, set its clock, rename it",
    as: ["user", "root"],
    tries: `
refused("all of them", {
    "reboot": call(169 if x86 else 142, 0xfee1dead, 672274793, 0x1234567), "power off": call(169 if x86 else 142, 0xfee1dead, 672274793, 0x4321fedc),
    "settimeofday": call(164 if x86 else 170, b"\\0" * 16, 0), "clock_settime": call(227 if x86 else 112, 0, struct.pack("qq", 1, 0)),
    "adjtimex": call(159 if x86 else 171, struct.pack("I", 2) + b"\\0" * 300),
    "sethostname": call(170 if x86 else 161, b"owned", 5), "setdomainname": call(171 if x86 else 162, b"owned", 5),
})
`,
    holds: ["all of them"],
    guard: "oci/syscalls.ts: refusedCalls; oci/config.ts: no CAP_SYS_TIME, CAP_SYS_BOOT",
    otherwise: {
      gvisor: { labels: ["all of them"], because: "gVisor's own clock and name; the runner compares the host's" },
    },
  },
  {
    name: "enter the kernel by 32-bit calls, which no list of 64-bit ones knows",
    as: ["user", "root"],
    tries: `
def in_child():
    code = b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3"  # mov eax, 20 (getpid); int 0x80; ret
    area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    os._exit(0 if function() <= 0 else 77)
if x86:
    pid = os.fork()
    if pid == 0: in_child()
    status = os.waitpid(pid, 0)[1]
    report("they end the program or fail", not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == 77), status)
else: report("they end the program or fail", True, "none on this machine")
`,
    holds: ["they end the program or fail"],
    guard: "oci/seccomp.ts: architectures names the native one only",
  },
  {
    name: "rise above one's limits: descriptors, priority, real-time, the out-of-memory killer's order",
    as: ["user", "root"],
    tries: `
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
def files():
    try: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
    except ValueError: raise OSError(errno.EPERM, "")
refused("a hard limit stays", {"open files": files})
refused("priority", {"nice": lambda: libc.setpriority(0, 0, -20) if libc.setpriority(0, 0, -20) == 0 else -1, "real-time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)), "ioprio": call(251 if x86 else 30, 1, 0, 1 << 13)})
def adjust(value):
    def attempt():
        with open("/proc/self/oom_score_adj", "w") as file: file.write(value)
    return attempt
refused("the out-of-memory killer's order", {"never": adjust("-1000"), "later": adjust("-1")})
`,
    holds: ["a hard limit stays", "priority", "the out-of-memory killer's order"],
    guard: "oci/runc.ts: limits before runc; oci/config.ts: no CAP_SYS_RESOURCE, no CAP_SYS_NICE, oomScoreAdj",
    otherwise: {
      gvisor: {
        labels: ["a hard limit stays", "priority", "the out-of-memory killer's order"],
        because: "gVisor keeps these numbers for its own scheduler; the host's are those of runsc's cgroup",
      },
    },
  },
];
