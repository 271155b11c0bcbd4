import type { Attack } from "../attack.ts";

/** Out of the sandbox over the network. */
export const networkAttacks: readonly Attack[] = [
  {
    name: "connect to the API, proxy, node, gateway, Redis and every other listener, by every address of the host",
    as: ["user", "root"],
    tries: `
same("no listener of the host answers", answers([(a, p) for a in targets["hostAddresses"] for p in targets["hostPorts"]]), [])
same("nor over IPv6", answers([(a, p, 0, 0) for a in targets["hostAddresses6"] for p in targets["hostPorts"]], socket.AF_INET6, 0.5), [])
own = answers([("127.0.0.1", p) for p in targets["hostPorts"]])
same("loopback is the sandbox's own", own, [])
`,
    holds: ["no listener of the host answers", "nor over IPv6", "loopback is the sandbox's own"],
    guard: "network/ruleset.ts: chain tohost drops all but the resolvers' port 53; IPv6 is dropped before routing",
  },
  {
    name: "connect to another sandbox: its daemon, its servers, by TCP, UDP and ping",
    as: ["user", "root"],
    tries: `
address = targets["neighbour"]
same("its ports do not answer", answers([(address, p) for p in (49983, 8000, 22)]), [])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(0.5)
def udp():
    u.sendto(b"x", (address, 8001)); return u.recv(9)
try: seen = udp()
except OSError as e: seen = None
same("its datagrams do not answer", seen, None)
p = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); p.settimeout(0.5)
try: p.sendto(struct.pack("!BBHHH", 8, 0, 0xf7fd, 1, 1), (address, 0)); seen = p.recv(99)
except OSError: seen = None
same("it answers no ping", seen, None)
`,
    holds: ["its ports do not answer", "its datagrams do not answer", "it answers no ping"],
    guard: "network/ruleset.ts: chain outbound drops what would leave by a sandbox's interface",
  },
  {
    name: "ask the cloud's metadata address and private ranges",
    as: ["user", "root"],
    tries: `
def turned_away(address):
    s = socket.socket(); s.settimeout(10)
    code = s.connect_ex((address, 80))
    # A rejection may be late, because the host limits how many it sends; an unanswered one ends in a timeout.
    if code not in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EACCES, errno.EPERM): through.append((address, code))
through = []
threads = [threading.Thread(target=turned_away, args=(a,)) for a in ("169.254.169.254", "169.254.170.2", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.100.100.200")]
for t in threads: t.start()
for t in threads: t.join()
same("each is turned away", through, [])
`,
    holds: ["each is turned away"],
    guard:
      "network/egress.ts: protectedRanges, rejected in network/ruleset.ts; with servers behind these addresses in network/isolation.test.ts",
  },
  {
    name: "change addresses, routes and interfaces, and read packets off the wire",
    as: ["user", "root"],
    tries: `
def netlink(kind, body):
    def attempt():
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        s.send(struct.pack("=IHHII", 16 + len(body), kind, 5 | 0x400, 1, 0) + body)
        answer = s.recv(4096)
        code = struct.unpack("=i", answer[16:20])[0]
        if code: raise OSError(-code, "netlink")
    return attempt
link = struct.pack("=BxHiII", 0, 0, 2, 0, 1)
refused("netlink changes nothing", {
    "link down": netlink(16, link),
    "new address": netlink(20, struct.pack("=BBBBi", 2, 32, 0, 0, 2) + struct.pack("=HH4s", 8, 2, bytes([10, 9, 9, 9]))),
    "new route": netlink(24, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0) + struct.pack("=HHi", 8, 4, 2)),
    "new interface": netlink(16, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + struct.pack("=HH8s", 12, 3, b"dummy9")),
})
refused("no packet sockets", {"raw": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300).close(), "datagram": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x300).close()})
`,
    holds: ["netlink changes nothing", "no packet sockets"],
    guard: "oci/config.ts: no CAP_NET_ADMIN; oci/seccomp.ts: socketFamilies",
  },
  {
    name: "open sockets of exotic families: kernel crypto, hypervisor, CAN, Bluetooth, TIPC, RDS, XDP, SMC and the rest",
    as: ["user", "root"],
    tries: `
known = (1, 2, 10, 16)
refused("none but local, IPv4, IPv6 and netlink", {f"{family}/{kind}": (lambda f=family, k=kind: socket.socket(f, k).close()) for family in range(3, 50) if family not in known for kind in (1, 2, 3, 5)})
`,
    holds: ["none but local, IPv4, IPv6 and netlink"],
    guard: "oci/seccomp.ts: socketFamilies",
  },
  {
    name: "meet the host's unix sockets, by path and by abstract name",
    as: ["user", "root"],
    tries: `
s = socket.socket(socket.AF_UNIX)
same("the abstract one does not answer", s.connect_ex("\\0" + targets["abstractSocket"]), errno.ECONNREFUSED)
s = socket.socket(socket.AF_UNIX)
same("the path is not there", s.connect_ex(targets["socketPath"]), errno.ENOENT)
try: listed = targets["abstractSocket"] in open("/proc/net/unix").read()
except OSError: listed = False
same("and neither is listed", listed, False)
`,
    holds: ["the abstract one does not answer", "the path is not there", "and neither is listed"],
    guard: "oci/config.ts: network namespace (abstract names), mount namespace (paths)",
  },
];
