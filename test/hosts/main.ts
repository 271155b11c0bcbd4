/**
 * Boots a Debian 12 with cgroup v2 alone under qemu's software emulation, lets it run `inside.ts`, and prints what that
 * found. Exit code 0 when all of it was as it should be.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildGuest, type Guest } from "./guest.ts";

/** The check takes four minutes on an idle machine of 2026; emulation on a busy one is several times slower. */
const longestMs = 25 * 60_000;

const directory = await mkdtemp(join(tmpdir(), "castellan-hosts-"));
try {
  console.log("building the guest (two minutes the first time) …");
  const guest = await buildGuest(join(import.meta.dirname, "../.."), directory);
  console.log("starting it …");
  process.exitCode = (await boot(guest)) ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** @returns whether the check in the guest said that all is well. */
async function boot({ kernel, initrd, disk }: Guest): Promise<boolean> {
  const machine = ["-M", "q35", "-accel", "tcg,thread=single", "-smp", "1", "-m", "2048", "-nodefaults", "-no-reboot"];
  const args = ["root=/dev/vda", "rw", "console=ttyS0", "quiet", "panic=-1", "init=/castellan/init"];
  const qemu = spawn(
    "qemu-system-x86_64",
    [
      ...machine,
      ...["-display", "none", "-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append", args.join(" ")],
      ...["-drive", `file=${disk},format=raw,if=virtio,cache=unsafe`],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  qemu.on("error", (error) =>
    console.error(`qemu-system-x86_64 cannot be run (Debian: qemu-system-x86): ${error.message}`),
  );
  const stop = () => qemu.kill("SIGKILL");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  const deadline = setTimeout(() => {
    console.error(`the guest did not end within ${longestMs / 60_000} minutes`);
    stop();
  }, longestMs);
  let good = false;
  createInterface({ input: qemu.stdout }).on("line", (line) => {
    console.log(line);
    if (line.startsWith('{"done":')) good = line.includes('"ok":true');
  });
  await once(qemu, "close");
  clearTimeout(deadline);
  return good;
}
