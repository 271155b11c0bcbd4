import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { currentCgroupLayout } from "./cgroup/layout.ts";
import { createSandboxRuntime, type SandboxRuntime } from "./index.ts";
import {
  belongings,
  connectWhenListening,
  endNode,
  nothing,
  optionsAt,
  runInside,
  specFor,
  startNode,
  testRunsc,
} from "./testing/test-node.ts";
import { cannotRun, testRootfs } from "./testing/test-rootfs.ts";

// Real sandboxes on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 });

const small = { cpuCount: 1, memoryMb: 256, diskMb: 128 };

/** What holds whatever stands between a sandbox and the host. */
describe.skipIf(cannotRun !== undefined).each([
  { isolation: "runc", devicePrefix: "cti", part: 10 },
  { isolation: "gvisor", devicePrefix: "ctg", part: 11 },
] as const)(`sandboxes with $isolation${cannotRun ? ` (${cannotRun})` : ""}`, ({ isolation, ...place }) => {
  const options = optionsAt(place, { isolations: [isolation], runsc: testRunsc });
  const table = { tables: [expect.stringContaining(`castellan_${place.devicePrefix}`)] };
  let node: SandboxRuntime;

  beforeAll(async () => {
    await testRootfs();
    node = await startNode(options);
  });

  afterAll(async () => {
    await endNode(node, options);
    expect(await belongings(options)).toEqual(nothing);
  });

  const running = async (id: string, use: () => Promise<void>, more = {}) => {
    const execution = await node.start(await specFor(id, more));
    try {
      await use();
    } finally {
      await node.stop(id);
    }
    return execution;
  };
  const read = async (port: number, send?: string) => {
    const socket = await connectWhenListening(node, "ports", port);
    if (send !== undefined) socket.end(send);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  it("run as root inside and as an unprivileged user outside, who owns their processes alone", async () => {
    const { pid, slot, isolation: said } = await node.start(await specFor("ids"));
    try {
      expect(said).toBe(isolation);
      const { stdout } = await runInside(node, "ids", "id -u; stat -c %u /etc/shadow /root /etc/hosts");
      expect(stdout.trim().split("\n")).toEqual(["0", "0", "0", "0"]);
      const first = options.uidBase + (slot - 1) * 65_536;
      expect(await readFile(`/proc/${pid}/status`, "utf8")).toMatch(
        new RegExp(`^Uid:\\t${first}\\t${first}\\t${first}\\t${first}$`, "m"),
      );
    } finally {
      await node.stop("ids");
    }
  });

  it("have their name and their resolver, and sudo where set-user-id programs can be had", async () => {
    await running(
      "names",
      async () => {
        const script = `hostname; getent hosts box-1; cat /etc/resolv.conf
          useradd -m worker && echo 'worker ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/worker
          su worker -c 'sudo -n id -u' 2>&1 | head -1`;
        const lines = (await runInside(node, "names", script)).stdout.trim().split("\n");
        expect(lines[0]).toBe("box-1");
        expect(lines[1]).toMatch(/^10\.241\.\d+\.\d+\s+box-1$/);
        expect(lines[2]).toMatch(/^nameserver \d/);
        expect(lines.at(-1)).toMatch(isolation === "runc" ? /^0$/ : /"no new privileges" flag is set/);
      },
      { hostname: "box-1" },
    );
  });

  it("cannot change the daemon, the template or the machine", async () => {
    const rootfs = await testRootfs();
    await running("change", async () => {
      const script = `touch /.castellan/x 2>/dev/null || echo daemon; rm -rf /usr/bin/perl /etc/debian_version; touch /new
        mknod /n b 8 0 2>/dev/null && head -c1 /n 2>/dev/null || echo device; mount -t tmpfs t /mnt 2>/dev/null || echo mount
        ip link set eth0 down 2>/dev/null || echo network; (echo 1 > /proc/sys/kernel/sysrq) 2>/dev/null || echo sysctl`;
      const { stdout } = await runInside(node, "change", script);
      expect(stdout.trim().split("\n")).toEqual(["daemon", "device", "mount", "network", "sysctl"]);
    });
    expect(spawnSync("cat", [join(rootfs, "etc/debian_version")]).status).toBe(0);
    expect(spawnSync("ls", [join(rootfs, "new")]).status).not.toBe(0);
  });

  it("fill only their own disk, in bytes and in files, /tmp included", async () => {
    await running(
      "disk",
      async () => {
        const script = `dd if=/dev/zero of=/tmp/fill bs=1M 2>&1 | grep -o 'No space.*'; rm /tmp/fill
          python3 -c "
n = 0
try:
    while True: open(f'/tmp/{n}', 'w').close(); n += 1
except OSError as e: print(e.errno, n < 20000)"`;
        expect((await runInside(node, "disk", script)).stdout).toBe("No space left on device\n28 True\n");
      },
      { resources: small },
    );
  });

  it("get no more processor time than they may", async () => {
    await running(
      "cpu",
      async () => {
        const burn = `python3 -c 'import time; b = time.time(); n = 0
while time.time() < b + 2: n += 1
print(n)'`;
        const before = await node.usage("cpu");
        const begun = performance.now();
        await runInside(node, "cpu", `${burn} & ${burn} & wait`);
        const share = ((await node.usage("cpu")).cpuMicros - before.cpuMicros) / 1000 / (performance.now() - begun);
        expect(share).toBeLessThan(0.65);
      },
      { resources: { ...small, cpuCount: 0.5 } },
    );
  });

  it("are the only ones that pay when they want more memory than they have", async () => {
    await running("bystander", async () => {
      await runInside(node, "bystander", "true");
      const ended = new Promise<object>((resolve) => node.onExit(resolve));
      await node.start(await specFor("hog", { resources: small }));
      try {
        const hog = "python3 -c 'b = []\nwhile True: b.append(bytearray(8 << 20))'";
        const outcome = await runInside(node, "hog", hog).catch(() => "cut off");
        expect(await node.oomKilled("hog")).toBe(true);
        if (isolation === "runc") {
          expect(outcome).toMatchObject({ code: "SIGKILL" });
        } else {
          // All of its memory is gVisor's, so nothing less than the sandbox can be ended.
          expect(outcome).toBe("cut off");
          expect(await ended).toEqual({ sandboxId: "s-hog", executionId: "hog", oomKilled: true });
        }
      } finally {
        await node.stop("hog");
      }
      expect((await runInside(node, "bystander", "echo fine")).stdout).toBe("fine\n");
    });
  });

  it.runIf(isolation === "gvisor")("do not start when their memory would not be limited", async () => {
    // runsc leaves groups alone that it finds.
    const tree = currentCgroupLayout().tree("memory");
    if (tree === undefined) throw new Error("no memory controller");
    await mkdir(join(tree, `castellan-${place.devicePrefix}`, "found"));
    await expect(node.start(await specFor("found", { resources: small }))).rejects.toMatchObject({
      message: expect.stringContaining("memory is not limited"),
    });
    expect(await belongings(options)).toEqual({ ...nothing, ...table });
  });

  it("answer on their address and on their loopback", async () => {
    await running("ports", async () => {
      const serve = (address: string, port: number) => `nohup python3 -c "
import socket
s = socket.create_server(('${address}', ${port}))
while True:
    c, _ = s.accept(); c.sendall(b'from ${address}'); c.close()" > /dev/null 2>&1 &\n`;
      const echo = `nohup python3 -c "
import socket
s = socket.create_server(('0.0.0.0', 8003))
while True:
    c, _ = s.accept(); d = b''
    while x := c.recv(4096): d += x
    c.sendall(b'got ' + d); c.close()" > /dev/null 2>&1 &\n`;
      await runInside(node, "ports", serve("127.0.0.1", 8001) + serve("0.0.0.0", 8002) + echo);
      expect(await read(8001)).toBe("from 127.0.0.1");
      expect(await read(8002)).toBe("from 0.0.0.0");
      expect(await read(8003, "all of it")).toBe("got all of it");
      await expect(node.connect("ports", 81)).rejects.toMatchObject({ code: "unavailable" });
      await expect(node.connect("ports", 8001, AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
    });
    await expect(node.connect("ports", 8001)).rejects.toMatchObject({ code: "not_found" });
  });

  it("end with every connection into them, and are reported once when they end by themselves", async () => {
    const exits: string[] = [];
    const unsubscribe = node.onExit(({ executionId }) => exits.push(executionId));
    try {
      const { pid } = await node.start(await specFor("ends"));
      await running("stopped", async () => {});
      const socket = await connectWhenListening(node, "ends", 49983);
      socket.on("error", () => {});
      const closed = once(socket, "close");
      process.kill(pid, "SIGKILL");
      await closed;
      await vi.waitFor(() => expect(exits).toEqual(["ends"]), 5000);
      expect(node.list()).toEqual([]);
      await expect(node.connect("ends", 49983)).rejects.toMatchObject({ code: "not_found" });
    } finally {
      unsubscribe();
      await node.stop("ends");
    }
  });

  it("leave nothing behind when they are stopped or given up, in whatever state", async () => {
    await Promise.all(["one", "two"].map(async (id) => node.start(await specFor(id))));
    await runInside(node, "one", "nohup sleep 1000 > /dev/null 2>&1 &");
    const starting = node.start(await specFor("three")).catch((error: unknown) => error);
    await Promise.all(["one", "one", "two", "three", "never"].map((id) => node.stop(id)));
    expect(await starting).toMatchObject({ code: "cancelled" });
    for (const delay of [0, 20, 60, 100, 150, 220, 300]) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), delay);
      const outcome = await node.start(await specFor(`abort-${delay}`), abort.signal).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "cancelled" });
      else await node.stop(`abort-${delay}`);
    }
    expect(await belongings(options)).toEqual({ ...nothing, ...table });
  });

  it("are taken over from a node process that is killed, whatever the next one starts with, or leave nothing", async () => {
    await node.close({ stopAll: true });
    const script = fileURLToPath(new URL("testing/crashing-node.ts", import.meta.url));
    const args = ["--conditions=source", script, place.devicePrefix, String(place.part), isolation, "first"];
    for (const delay of [0, 60, 150, 300, "started"]) {
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const said: string[] = [];
      createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
      const word = typeof delay === "number" ? "recovered" : delay;
      await vi.waitFor(() => expect(said.join()).toContain(word), { timeout: 90_000, interval: 2 });
      if (typeof delay === "number") await sleep(delay);
      child.kill("SIGKILL");
      await once(child, "exit");
      node = await createSandboxRuntime({ ...options, isolations: [isolation === "runc" ? "gvisor" : "runc"] });
      const recovered = await node.recover();
      if (delay === "started") expect(recovered).toMatchObject([{ executionId: "first", isolation }]);
      if (recovered.length > 0) {
        expect((await runInside(node, "first", "echo whole")).stdout).toBe("whole\n");
        await node.stop("first");
      }
      expect(await belongings(options)).toEqual({ ...nothing, ...table });
      await node.close({ stopAll: true });
    }
    node = await startNode(options);
  });

  it("are refused when the node does not offer their isolation", async () => {
    const other = isolation === "runc" ? "gvisor" : "runc";
    await expect(node.start(await specFor("other", { isolation: other }))).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining(other),
    });
    expect(await belongings(options)).toEqual({ ...nothing, ...table });
  });
});
