import { spawnSync } from "node:child_process";
import { chmod, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { releasePrefix } from "./host/owner.ts";
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
} from "./testing/test-node.ts";
import { cannotRun, testRootfs } from "./testing/test-rootfs.ts";

// Real sandboxes on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const options = optionsAt({ devicePrefix: "ct", part: 0 });

describe.skipIf(cannotRun !== undefined)(`a node's sandboxes${cannotRun ? ` (${cannotRun})` : ""}`, () => {
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
    await node.start(await specFor(id, more));
    try {
      await use();
    } finally {
      await node.stop(id);
    }
  };

  it("run as root inside and as an unprivileged user outside", async () => {
    await running("ids", async () => {
      const { stdout } = await runInside(node, "ids", "id -u; stat -c %u /etc/shadow /root; cat /proc/self/uid_map");
      const [uid, shadow, home, map = ""] = stdout.split("\n");
      expect([uid, shadow, home]).toEqual(["0", "0", "0"]);
      expect(map.trim().split(/\s+/)).toEqual(["0", expect.stringMatching(/^10737\d+$/), "65536"]);
    });
  });

  it("have their name, their resolver and a true list of hosts", async () => {
    await running(
      "names",
      async () => {
        const { stdout } = await runInside(
          node,
          "names",
          "hostname; cat /etc/hostname; getent hosts box-1; cat /etc/resolv.conf",
        );
        const [name, file, own = "", resolver] = stdout.split("\n");
        expect([name, file]).toEqual(["box-1", "box-1"]);
        expect(own).toMatch(/^10\.241\.\d+\.\d+\s+box-1$/);
        expect(resolver).toMatch(/^nameserver \d/);
      },
      { hostname: "box-1" },
    );
  });

  it("let an ordinary user become root with sudo", async () => {
    await running("sudo", async () => {
      const setUp = "useradd -m worker && echo 'worker ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/worker && id -u worker";
      const uid = Number((await runInside(node, "sudo", setUp)).stdout);
      expect(await runInside(node, "sudo", "sudo -n id -u", uid)).toMatchObject({ code: 0, stdout: "0\n" });
    });
  });

  it("give root the powers that package installation needs, and no more", async () => {
    await running("powers", async () => {
      const script = `cd /tmp && touch f && chown 33:33 f && stat -c %u:%g f && chmod 4755 f && stat -c %a f
        mkdir d && chroot / true && echo chroot; mknod n c 1 3 2>/dev/null || echo no device
        mount -t tmpfs t d 2>/dev/null || echo no mount; ip link set eth0 down 2>/dev/null || echo no network change
        hostname other 2>/dev/null || echo no rename; echo 1 > /proc/sys/kernel/sysrq 2>/dev/null || echo no sysctl`;
      const { stdout } = await runInside(node, "powers", script);
      expect(stdout.trim().split("\n")).toEqual([
        "33:33",
        "4755",
        "chroot",
        "no device",
        "no mount",
        "no network change",
        "no rename",
        "no sysctl",
      ]);
    });
  });

  it("give the daemon its environment and its files, which nobody inside can change", async () => {
    await running(
      "daemon",
      async () => {
        const script =
          "echo $GREETING; ls /.castellan; touch /.castellan/x 2>&1; rm -rf /.castellan/node 2>&1 | head -1; mv /.castellan /y 2>&1";
        const { stdout } = await runInside(node, "daemon", script);
        expect(stdout.split("\n").slice(0, 4)).toEqual(["hello", "daemon.mjs", "init", "node"]);
        expect(stdout.match(/Read-only file system|Device or resource busy/g)).toHaveLength(3);
      },
      { env: { GREETING: "hello" } },
    );
  });

  it("never write into the template", async () => {
    const rootfs = await testRootfs();
    await running("template", async () => {
      await runInside(node, "template", "rm -rf /usr/bin/perl /etc/debian_version; echo x > /etc/passwd; touch /new");
    });
    expect(spawnSync("cat", [join(rootfs, "etc/debian_version")]).status).toBe(0);
    expect(spawnSync("ls", [join(rootfs, "new")]).status).not.toBe(0);
  });

  it("kill what takes more memory than the limit, say so, and live on", async () => {
    await running(
      "memory",
      async () => {
        expect(await node.oomKilled("memory")).toBe(false);
        const { code } = await runInside(node, "memory", "exec python3 -c 'x = bytearray(400 * 1024 * 1024)'");
        expect(code).toBe("SIGKILL");
        expect(await node.oomKilled("memory")).toBe(true);
        expect((await runInside(node, "memory", "echo alive")).stdout).toBe("alive\n");
      },
      { resources: { cpuCount: 1, memoryMb: 192, diskMb: 256 } },
    );
  });

  it("refuse more processes than the limit", async () => {
    await running(
      "pids",
      async () => {
        const { stderr } = await runInside(node, "pids", "for i in $(seq 100); do sleep 5 & done; wait");
        expect(stderr).toContain("Resource temporarily unavailable");
      },
      { resources: { cpuCount: 1, memoryMb: 256, diskMb: 256, pids: 40 } },
    );
  });

  it("get no more processor time than they may", async () => {
    await running(
      "cpu",
      async () => {
        const burn =
          "python3 -c 'import time; b = time.process_time(); e = time.time() + 2\nwhile time.time() < e: pass\nprint(time.process_time() - b)'";
        const { stdout } = await runInside(node, "cpu", burn);
        expect(Number(stdout)).toBeLessThan(1.2);
      },
      { resources: { cpuCount: 0.5, memoryMb: 256, diskMb: 256 } },
    );
  });

  it("fill only their own disk, in bytes and in files, and get the space back", async () => {
    await running("disk", async () => {
      const { stdout, stderr } = await runInside(
        node,
        "disk",
        "dd if=/dev/zero of=/fill bs=1M; df -m --output=size / | tail -1",
      );
      expect(stderr).toContain("No space left on device");
      expect(Number(stdout)).toBeGreaterThan(230);
      expect(Number(stdout)).toBeLessThanOrEqual(256);
      const image = join(options.stateDir, "executions/disk/disk.img");
      expect((await stat(image)).blocks * 512).toBeGreaterThan(200 * 1024 * 1024);
      const again = await runInside(
        node,
        "disk",
        "rm /fill && echo back > /file && cat /file && df --output=itotal / | tail -1",
      );
      const [text, inodes] = again.stdout.split("\n");
      expect([text, Number(inodes)]).toEqual(["back", 16384]);
      const files = `python3 -c "
import os
n = 0
try:
    while n < 100000: os.mknod('/%d' % n); n += 1
except OSError as e: print(os.strerror(e.errno), n < 16384)
for i in range(n): os.unlink('/%d' % i)
os.mknod('/room')"`;
      expect(await runInside(node, "disk", files)).toMatchObject({ code: 0, stdout: "No space left on device True\n" });
      await runInside(node, "disk", "sync");
      // What is deleted inside takes no room on the host either.
      await vi.waitFor(async () => expect((await stat(image)).blocks * 512).toBeLessThan(50 * 1024 * 1024), 10_000);
    });
  });

  it("answer on a server that is bound to their loopback, over IPv4 or IPv6", async () => {
    await running("loopback", async () => {
      const serve = (address: string, port: number) => `nohup python3 -c "
import socket
s = socket.create_server(('${address}', ${port}), family=socket.AF_INET6 if ':' in '${address}' else socket.AF_INET)
while True:
    c, _ = s.accept(); c.sendall(b'from ${address}'); c.close()" > /dev/null 2>&1 &\n`;
      await runInside(node, "loopback", serve("127.0.0.1", 8001) + serve("::1", 8002));
      for (const [port, text] of [
        [8001, "from 127.0.0.1"],
        [8002, "from ::1"],
      ] as const) {
        const socket = await connectWhenListening(node, "loopback", port);
        const chunks: Buffer[] = [];
        for await (const chunk of socket) chunks.push(chunk);
        expect(Buffer.concat(chunks).toString()).toBe(text);
      }
    });
  });

  it("get a network of their own while connections to others are opened all the time", async () => {
    await running("busy", async () => {
      const ids = Array.from({ length: 5 }, (_, i) => `fresh-${i}`);
      const started = Promise.all(ids.map(async (id) => node.start(await specFor(id))));
      let done = false;
      const finished = started.then(
        () => true,
        () => true,
      );
      void finished.then((value) => {
        done = value;
      });
      try {
        for (; !done; await sleep(1)) {
          for (let i = 0; i < 10; i += 1) (await connectWhenListening(node, "busy", 49983)).destroy();
        }
        const executions = await started;
        for (const { executionId, address } of executions) {
          const { stdout } = await runInside(node, executionId, "ip -4 -o addr show dev eth0; ip route show default");
          expect(stdout).toContain(` ${address}/31 `);
          expect(stdout).toContain("default via ");
        }
      } finally {
        await finished;
        await Promise.all(ids.map((id) => node.stop(id)));
      }
    });
  });

  it("tell a closed port from a sandbox that is gone", async () => {
    await running("ports", async () => {
      await connectWhenListening(node, "ports", 49983).then((socket) => socket.destroy());
      await expect(node.connect("ports", 81)).rejects.toMatchObject({ code: "unavailable" });
      await expect(node.connect("ports", 70_000)).rejects.toMatchObject({ code: "invalid_argument" });
      await expect(node.connect("ports", 49983, AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
    });
    await expect(node.connect("ports", 49983)).rejects.toMatchObject({ code: "not_found" });
  });

  it("are reported once when their init ends by itself, and only then", async () => {
    const exits: string[] = [];
    const unsubscribe = node.onExit(({ executionId }) => exits.push(executionId));
    try {
      const { pid } = await node.start(await specFor("ends"));
      await running("stopped", async () => {});
      expect(exits).toEqual([]);
      process.kill(pid, "SIGKILL");
      await sleep(700);
      expect(exits).toEqual(["ends"]);
      expect(node.list()).toEqual([]);
      await expect(node.connect("ends", 49983)).rejects.toMatchObject({ code: "not_found" });
    } finally {
      unsubscribe();
      await node.stop("ends");
    }
  });

  it("leave nothing behind when they are stopped, however often and in whatever state", async () => {
    await Promise.all(["one", "two", "three"].map(async (id) => node.start(await specFor(id))));
    await runInside(
      node,
      "one",
      "nohup sleep 1000 > /dev/null 2>&1 & dd if=/dev/zero of=/x bs=1M count=20 2>/dev/null",
    );
    const starting = node.start(await specFor("four")).catch((error: unknown) => error);
    await Promise.all(["one", "one", "two", "three", "four", "never"].map((id) => node.stop(id)));
    await node.stop("one");
    expect(await starting).toMatchObject({ code: "cancelled" });
    expect(await belongings(options)).toEqual({ ...nothing, tables: [expect.stringContaining("castellan_ct")] });
  });

  it("leave nothing behind when a start is given up, whatever it has reached", async () => {
    for (const delay of [0, 3, 8, 14, 20, 30, 45, 60]) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), delay);
      const outcome = await node.start(await specFor(`abort-${delay}`), abort.signal).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "cancelled" });
      else await node.stop(`abort-${delay}`);
    }
    expect(await belongings(options)).toEqual({ ...nothing, tables: [expect.stringContaining("castellan_ct")] });
  });

  it("leave nothing behind when their start fails", async () => {
    const broken = join(options.stateDir, "broken-template");
    await mkdir(broken);
    try {
      await writeFile(join(broken, "proc"), "a file where a directory must be");
      await expect(node.start(await specFor("broken", { rootfs: broken }))).rejects.toMatchObject({ code: "internal" });
      await expect(node.start(await specFor("missing", { rootfs: `${broken}/none` }))).rejects.toMatchObject({
        code: "internal",
      });
      expect(await belongings(options)).toEqual({ ...nothing, tables: [expect.stringContaining("castellan_ct")] });
    } finally {
      await rm(broken, { recursive: true });
    }
  });

  it("are refused when the request is wrong, and the id is used already", async () => {
    const wrong = [
      { executionId: "../x" },
      { hostname: "a b" },
      { rootfs: "relative" },
      { resources: { cpuCount: 0, memoryMb: 256, diskMb: 256 } },
      { resources: { cpuCount: 1, memoryMb: 256, diskMb: Number.NaN } },
      { env: { "A=B": "c" } },
      { egress: { allowOut: ["example.com"], denyOut: [] } },
    ];
    for (const part of wrong) {
      await expect(node.start(await specFor("wrong", part))).rejects.toMatchObject({ code: "invalid_argument" });
    }
    await running("twice", async () => {
      await expect(node.start(await specFor("twice"))).rejects.toMatchObject({ code: "conflict" });
    });
  });

  it("have a state directory that a second node process cannot take", async () => {
    const script = `import { createSandboxRuntime } from ${JSON.stringify(new URL("index.ts", import.meta.url).href)};
      await createSandboxRuntime({ ...${JSON.stringify(options)}, logger: console }).then(() => console.log("taken"), (e) => console.log(e.code));`;
    const args = ["--conditions=source", "--input-type=module", "-e", script];
    expect(spawnSync(process.execPath, args, { encoding: "utf8" }).stdout.trim()).toBe("conflict");
    await expect(createSandboxRuntime(options)).rejects.toMatchObject({ code: "conflict" });
    await expect(createSandboxRuntime({ ...options, devicePrefix: "UPPER" })).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  it("need a state directory that they can reach, whatever this process's mask is", async () => {
    const other = optionsAt({ devicePrefix: "ct7", part: 7 });
    await mkdir(other.stateDir, { mode: 0o700 });
    const before = process.umask(0o077);
    try {
      const closed = { ...other, stateDir: `${other.stateDir}/below` };
      await expect(createSandboxRuntime(closed)).rejects.toMatchObject({ code: "invalid_argument" });
      const masked = await startNode(other);
      await masked.start(await specFor("masked"));
      const { stdout } = await runInside(masked, "masked", "stat -c %a / /etc /etc/hosts; umask", 1000);
      expect(stdout.split("\n").slice(0, 4)).toEqual(["755", "755", "644", "0022"]);
      await endNode(masked, other);
    } finally {
      process.umask(before);
      await rm(other.stateDir, { recursive: true, force: true });
    }
  });

  it("are kept from a node that would use the same prefix or addresses", async () => {
    const other = optionsAt({ devicePrefix: "ct6", part: 6 });
    try {
      const samePrefix = { ...other, devicePrefix: options.devicePrefix };
      await expect(createSandboxRuntime(samePrefix)).rejects.toMatchObject({ code: "conflict" });
      await running("here", async () => {
        const sameSubnet = { ...other, subnet: options.subnet };
        await expect(createSandboxRuntime(sameSubnet)).rejects.toMatchObject({ code: "conflict" });
      });
    } finally {
      await releasePrefix(other.devicePrefix);
      await rm(other.stateDir, { recursive: true, force: true });
    }
  });

  it("see a host file that a link in the template points to as their own file", async () => {
    const rootfs = join(options.stateDir, "linked-template");
    const victim = join(options.stateDir, "victim");
    try {
      expect(spawnSync("cp", ["-a", await testRootfs(), rootfs]).status).toBe(0);
      await writeFile(victim, "untouched");
      await rm(join(rootfs, "etc/resolv.conf"), { force: true });
      spawnSync("ln", ["-s", victim, join(rootfs, "etc/resolv.conf")]);
      await chmod(victim, 0o666);
      await running(
        "link",
        async () => {
          expect((await runInside(node, "link", "cat /etc/resolv.conf")).stdout).toContain("nameserver");
        },
        { rootfs },
      );
      expect(spawnSync("cat", [victim], { encoding: "utf8" }).stdout).toBe("untouched");
    } finally {
      await rm(rootfs, { recursive: true, force: true });
      await rm(victim, { force: true });
    }
  });
});
