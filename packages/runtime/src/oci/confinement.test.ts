import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { SandboxRuntime } from "../index.ts";
import { belongings, endNode, nothing, optionsAt, runInside, specFor, startNode } from "../testing/test-node.ts";
import { cannotRun, testRootfs } from "../testing/test-rootfs.ts";

// Real sandboxes on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const options = optionsAt({ devicePrefix: "ctc", part: 5 });

/** System calls by number (x86-64), with what root inside gets for them. */
const calls: Record<string, [number, number[], string]> = {
  "unshare user": [272, [0x1000_0000], "EPERM"],
  "unshare network": [272, [0x4000_0000], "EPERM"],
  "unshare mount": [272, [0x2_0000], "EPERM"],
  "unshare time": [272, [0x80], "EPERM"],
  "unshare files": [272, [0x400], "ok"],
  "clone user": [56, [0x1000_0000 | 17, 0, 0, 0, 0], "EPERM"],
  clone3: [435, [0, 0], "ENOSYS"],
  setns: [308, [0, 0], "EPERM"],
  io_uring: [425, [1, 0], "ENOSYS"],
  keyctl: [250, [0, 0], "EPERM"],
  add_key: [248, [0, 0, 0, 0, 0], "EPERM"],
  request_key: [249, [0, 0, 0, 0], "EPERM"],
  bpf: [321, [0, 0, 0], "EPERM"],
  perf_event_open: [298, [0, 0, 0, 0, 0], "EPERM"],
  userfaultfd: [323, [0], "EPERM"],
  mount: [165, [0, 0, 0, 0, 0], "EPERM"],
  fsopen: [430, [0, 0], "EPERM"],
  open_tree: [428, [0, 0, 0], "EPERM"],
  kexec_load: [246, [0, 0, 0, 0], "EPERM"],
  init_module: [175, [0, 0, 0], "EPERM"],
  open_by_handle_at: [304, [0, 0, 0], "EPERM"],
  syslog: [103, [0, 0, 0], "EPERM"],
  "a call of the future": [600, [], "ENOSYS"],
};

describe.skipIf(cannotRun !== undefined || process.arch !== "x64")(
  `root inside a sandbox${cannotRun ? ` (${cannotRun})` : ""}`,
  () => {
    let node: SandboxRuntime;

    beforeAll(async () => {
      await testRootfs();
      node = await startNode(options);
      await node.start(await specFor("c"));
    });

    afterAll(async () => {
      await endNode(node, options);
      expect(await belongings(options)).toEqual(nothing);
    });

    const lines = async (script: string, uid = 0) =>
      (await runInside(node, "c", script, uid)).stdout.trim().split("\n");

    it("is refused every system call that reaches beyond the sandbox", async () => {
      const attempts = Object.values(calls).map(([number, args]) => [number, args]);
      const script = `python3 -c "
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
for number, args in json.loads('${JSON.stringify(attempts)}'):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(a) for a in args])
    print('ok' if r >= 0 else errno.errorcode[ctypes.get_errno()])"`;
      const names = Object.keys(calls);
      const got = Object.fromEntries((await lines(script)).map((outcome, i) => [names[i], outcome]));
      expect(got).toEqual(Object.fromEntries(Object.entries(calls).map(([name, [, , outcome]]) => [name, outcome])));
    });

    it("opens sockets of the internet and local ones, and no others", async () => {
      const script = `python3 -c "
import socket
for family, kind in ((1, 1), (2, 1), (2, 2), (10, 1), (16, 3), (17, 3), (38, 5), (40, 1), (29, 3), (30, 5)):
    try: socket.socket(family, kind).close(); print('ok')
    except OSError as e: print(e.errno)"`;
      expect(await lines(script)).toEqual(["ok", "ok", "ok", "ok", "ok", "97", "97", "97", "97", "97"]);
    });

    it("sees no device of the host beyond the harmless ones", async () => {
      // Where the kernel has /proc/kcore, runc makes a link to it; the file behind it is masked.
      expect((await lines("ls /dev | grep -vx core")).sort()).toEqual([
        "fd",
        "full",
        "mqueue",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
      ]);
    });

    it("finds the kernel's files masked or read-only", async () => {
      const script = `head -c1 /proc/kcore 2>/dev/null | wc -c; cat /proc/keys /proc/timer_list 2>/dev/null | wc -c
ls /sys/firmware | wc -l; for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/mm/ksm/run /sys/fs/cgroup/memory/memory.limit_in_bytes /proc/irq/default_smp_affinity
do (echo 0 > $f) 2>/dev/null && echo "wrote $f"; done; echo end`;
      expect(await lines(script)).toEqual(["0", "0", "0", "end"]);
    });

    it("sees only the sandbox's own processes", async () => {
      const processes = await lines("ps -e -o comm=");
      expect(processes[0]).toBe("init");
      expect(processes.length).toBeLessThan(8);
    });

    it("gets terminals, and other users too", async () => {
      const script =
        "python3 -c \"import os, pty; m, s = pty.openpty(); print(os.ttyname(s)); os.write(s, b'x'); print(os.read(m, 9))\"";
      for (const uid of [0, 1000])
        expect(await lines(script, uid)).toEqual([expect.stringMatching(/^\/dev\/pts\/\d+$/), "b'x'"]);
    });

    it("debugs its own processes", async () => {
      const script =
        "sleep 9 > /dev/null 2>&1 & until ls -l /proc/$!/exe | grep -o '[a-z/]*sleep$'; do :; done; setarch -R true && echo no randomisation";
      expect(await lines(script)).toEqual([expect.stringContaining("sleep"), "no randomisation"]);
    });
  },
);
