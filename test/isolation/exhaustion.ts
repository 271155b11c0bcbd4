/**
 * Attempts to use up a machine from inside a sandbox, as data like the attack list; `limits.test.ts` runs them. Each is
 * Python 3 that ends by itself or is cut off after `seconds`. While it runs the sandbox beside must be served, and what
 * the host has left must not shrink by more than the sandbox's own limits.
 */
export interface Exhaustion {
  readonly name: string;
  readonly tries: string;
  readonly as: "root" | "user";
  readonly seconds: number;
  /** What its output must match once it has ended by itself. */
  readonly says?: RegExp;
  /** What the command's error must match when it is the command that has to go. */
  readonly fails?: RegExp;
  /** `lives` after it, or may have `ended`, with the reason that the node logs. Default: it lives. */
  readonly sandbox?: "ends or lives";
  /** What holds it, with runc. */
  readonly guard: string;
}

const count = `
def fill(label, make, most=10**7):
    n = 0
    try:
        while n < most: make(n); n += 1
        print(label, n, "no end", flush=True)
    except OSError as error: print(label, n, errno.errorcode[error.errno], flush=True)
def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
    return result
def most_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
`;

export const exhaustions: readonly Exhaustion[] = [
  {
    name: "memory, by a program that takes ever more",
    as: "user",
    seconds: 30,
    tries: `
blocks = []
while True: blocks.append(bytearray(b"x" * (16 << 20)))
`,
    fails: /ran out of memory/,
    guard: "oci/config.ts: memory.limit and swap; apps/envd says why the command was killed",
  },
  {
    name: "memory, by files in /dev/shm and in memory without a name",
    as: "user",
    seconds: 30,
    tries: `${count}
def shm():
    with open("/dev/shm/hog", "wb") as file:
        while True: file.write(b"x" * (1 << 20))
try: shm()
except OSError as error: print("/dev/shm", errno.errorcode[error.errno], os.stat("/dev/shm/hog").st_size >> 20, flush=True)
os.unlink("/dev/shm/hog")
pid = os.fork()
if pid == 0:
    fd = os.memfd_create("hog")
    while True: os.write(fd, b"x" * (1 << 20))
os.waitpid(pid, 0)
`,
    says: /^\/dev\/shm ENOSPC 5\d\d\n/,
    fails: /ran out of memory/,
    guard: "oci/config.ts: size of /dev/shm, memory.limit",
  },
  {
    name: "memory, by the page cache",
    as: "user",
    seconds: 60,
    tries: `
with open("/tmp/large", "wb") as file:
    for _ in range(1400): file.write(b"x" * (1 << 20))
for _ in range(2):
    with open("/tmp/large", "rb") as file:
        while file.read(1 << 20): pass
os.unlink("/tmp/large"); print("read")
`,
    says: /^read\n$/,
    guard: "oci/config.ts: memory.limit, which counts the cache and takes it back",
  },
  {
    name: "the kernel's memory, by unread sockets of every kind, pipes, watches, events, timers, messages, descriptors",
    as: "root",
    seconds: 80,
    tries: `${count}
goal = 3 << 30
def tcp():
    server = socket.create_server(("127.0.0.1", 0), backlog=4096); keep = []; sent = 0; block = bytes(1 << 20)
    while sent < goal:
        c = socket.socket(); c.setsockopt(1, 7, 64 << 20); c.setsockopt(1, 8, 64 << 20); c.connect(server.getsockname()); c.settimeout(0.05)
        a = server.accept()[0]; a.setsockopt(1, 8, 64 << 20); keep += [c, a]
        try:
            for _ in range(64): sent += c.send(block)
        except TimeoutError: pass
def udp():
    keep = []; sent = 0
    while sent < goal:
        r = socket.socket(2, 2); r.setsockopt(1, 8, 64 << 20); r.bind(("127.0.0.1", 0)); keep.append(r)
        s = socket.socket(2, 2)
        for _ in range(64): sent += s.sendto(bytes(32768), r.getsockname())
def local():
    keep = []; sent = 0
    while sent < goal:
        a, b = socket.socketpair(); a.setsockopt(1, 7, 64 << 20); a.setblocking(False); keep += [a, b]
        try:
            while True: sent += a.send(bytes(65536))
        except BlockingIOError: pass
def handed_over():
    # Descriptors in flight, each of which holds a full pipe.
    while True:
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); os.dup(a.fileno()); os.dup(b.fileno())
        for _ in range(8):
            r, w = os.pipe(); fcntl.fcntl(w, 1031, 1 << 20); os.set_blocking(w, False)
            try:
                while True: os.write(w, bytes(65536))
            except BlockingIOError: pass
            try: socket.send_fds(a, [b"x"], [r, w])
            finally: os.close(r); os.close(w)
def pipes():
    def one(_):
        r, w = os.pipe(); fcntl.fcntl(w, 1031, 1 << 20); os.set_blocking(w, False)
        try:
            while True: os.write(w, bytes(65536))
        except BlockingIOError: pass
    fill("pipe", one)
def netlink():
    def one(_): s = socket.socket(16, 3, 0); s.setsockopt(1, 8, 64 << 20); s.bind((0, 1)); held.append(s)
    held = []; fill("netlink", one)
def watches():
    fd = checked(libc.inotify_init()); os.makedirs("/tmp/w", exist_ok=True)
    def one(n):
        os.mkdir(f"/tmp/w/{n}"); checked(libc.inotify_add_watch(fd, f"/tmp/w/{n}".encode(), 1))
    fill("watch", one, 10000)
def events():
    def one(_): e = os.eventfd(0); p = select.epoll(); p.register(e, 1); held.append(p)
    held = []; fill("event", one)
def timers():
    def one(_): t = ctypes.c_int(); checked(libc.syscall(222 if x86 else 107, 0, None, ctypes.byref(t)))
    fill("timer", one)
def messages():
    def one(n):
        q = checked(libc.msgget(0, 0o600)); body = struct.pack("l", 1) + bytes(8000)
        while libc.msgsnd(q, body, 8000, 0o4000) == 0: pass
    fill("message", one)
def semaphores(): fill("semaphore", lambda n: checked(libc.semget(0, 30000, 0o600)))
def asynchronous():
    def one(_): c = ctypes.c_ulong(0); checked(libc.syscall(ctypes.c_long(206 if x86 else 0), ctypes.c_long(60000), ctypes.byref(c)))
    fill("aio", one, 20000)
def locks():
    fd = os.open("/tmp/locks", os.O_CREAT | os.O_RDWR); fill("lock", lambda n: fcntl.lockf(fd, fcntl.LOCK_EX, 1, n * 2), 3000000)
def names():
    def one(n): 
        try: os.stat("/tmp/%0250d" % n)
        except FileNotFoundError: pass
    fill("name", one, 400000)
for kind in (tcp, udp, local, handed_over, pipes, netlink, watches, events, timers, messages, asynchronous, locks, names, semaphores):
    pid = os.fork()
    if pid == 0:
        signal.alarm(2); most_files()
        with open("/proc/self/oom_score_adj", "w") as file: file.write("1000")
        try: kind()
        except BaseException as error: print(kind.__name__, type(error).__name__, error, flush=True)
        os._exit(0)
    print(kind.__name__, "ended", os.waitpid(pid, 0)[1], flush=True)
    for table, remove in (("msg", libc.msgctl), ("sem", libc.semctl)):
        for line in open(f"/proc/sysvipc/{table}").readlines()[1:]: remove(int(line.split()[1]), 0, 0, 0)
print("all tried")
`,
    // What semaphores leave for the kernel to free may have their parent killed as well.
    says: /names ended \d+\n(semaphores ended \d+\n)?(all tried\n)?$/,
    guard: "oci/config.ts: memory.limit counts the kernel's memory; cgroup/groups.ts: limitSockets (cgroup v1)",
  },
  {
    name: "processes, by a fork bomb that the command's time limit ends",
    as: "user",
    seconds: 4,
    tries: `
while True:
    try: os.fork()
    except OSError: time.sleep(0.1)
`,
    guard: "oci/config.ts: pids.limit; apps/envd kills the command's process group",
  },
  {
    name: "threads",
    as: "user",
    seconds: 20,
    tries: `
n = 0
threading.stack_size(65536)
try:
    while n < 20000: threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); n += 1
except RuntimeError as error: print("refused below the limit" if n < 1024 else n, error, flush=True)
os._exit(0)
`,
    says: /^refused below the limit can't start new thread/,
    guard: "oci/config.ts: pids.limit",
  },
  {
    name: "processors, by more busy programs than there are",
    as: "user",
    seconds: 4,
    tries: `
for _ in range(15):
    if os.fork() == 0: break
while True: pass
`,
    guard: "oci/config.ts: cpu.quota and shares",
  },
  {
    name: "disk, in bytes: written, reserved, and in files with holes",
    as: "user",
    seconds: 60,
    tries: `
def full(label, action):
    try: action(); print(label, "no end")
    except OSError as error: print(label, errno.errorcode[error.errno], flush=True)
with open("/tmp/holes", "wb") as file: file.truncate(1 << 40)
s = os.statvfs("/"); print("size", s.f_blocks * s.f_frsize >> 20)
fd = os.open("/tmp/reserved", os.O_CREAT | os.O_WRONLY)
full("reserved", lambda: os.posix_fallocate(fd, 0, 1 << 40)); os.close(fd); os.unlink("/tmp/reserved")
def write():
    with open("/tmp/holes", "r+b", buffering=0) as file:
        while True: file.write(b"x" * (1 << 20))
full("written", write)
os.unlink("/tmp/holes")
full("again", lambda: open("/tmp/after", "w").write("ok") and None); print(open("/tmp/after").read())
`,
    says: /^size (1[89]|20)\d\d\nreserved (ENOSPC|EFBIG)\nwritten ENOSPC\nagain no end\nok\n$/,
    guard: "disk/blank-image.ts: an ext4 image of the sandbox's size",
  },
  {
    name: "what the kernel has once for all: inotify, terminals, asynchronous I/O, message queues, timers, open files",
    as: "root",
    seconds: 40,
    tries: `${count}
most_files(); keep = []
fill("inotify", lambda n: checked(libc.inotify_init()))
fill("terminals", lambda n: keep.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)))
def aio(_): c = ctypes.c_ulong(0); checked(libc.syscall(ctypes.c_long(206 if x86 else 0), ctypes.c_long(1024), ctypes.byref(c)))
fill("aio", aio, 200)
def queue(n): checked(libc.mq_open(b"/q%d" % n, 0o102, 0o600, None))
fill("queues", queue, 300)
def timer(_): t = ctypes.c_int(); checked(libc.syscall(222 if x86 else 107, 0, None, ctypes.byref(t)))
fill("timers", timer, 200000)
fill("files", lambda n: checked(libc.eventfd(0, 0)))
print("holding", flush=True); time.sleep(4)
`,
    guard:
      "disk/user-namespace.ts: owner; oci/config.ts: terminals; host/shared-limits.ts; oci/runc.ts: open files of a process",
  },
  {
    name: "connections, out to many addresses and to the resolver",
    as: "user",
    seconds: 8,
    tries: `
names = [line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver")]
end = time.time() + 6
for port in range(1025, 65000):
    if time.time() > end: break
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", port))
        for a in names: s.sendto(b"x", (a, 53))
        for k in range(3): s.sendto(b"x", (f"198.18.{port % 256}.{k + 1}", port))
    except OSError: pass
    finally: s.close()
print("sent")
`,
    says: /^sent\n$/,
    guard: "network/ruleset.ts: connectionLimit",
  },
  {
    name: "the node, by output without end and by programs started without end",
    as: "user",
    seconds: 5,
    tries: `
if os.fork() == 0:
    while True: os.spawnv(os.P_WAIT, "/bin/true", ["true"])
block = b"flood " * 10000
while True: sys.stdout.buffer.write(block)
`,
    guard: "apps/envd: slow readers slow the process down",
  },
  {
    name: "processes, by a fork bomb of which each leaves its session",
    as: "root",
    seconds: 5,
    sandbox: "ends or lives",
    tries: `
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: time.sleep(1)
`,
    guard: "oci/config.ts: pids.limit",
  },
  {
    name: "memory that outlives the programs: System V segments",
    as: "root",
    seconds: 30,
    sandbox: "ends or lives",
    tries: `
libc.shmat.restype = ctypes.c_void_p
while True:
    address = libc.shmat(libc.shmget(0, 64 << 20, 0o600), None, 0)
    ctypes.memset(address, 1, 64 << 20)
`,
    guard: "oci/config.ts: memory.limit; the node tells the reason when the daemon had to go",
  },
];
