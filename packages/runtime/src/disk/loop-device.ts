import { closeSync, constants, openSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ioctlNumber, ioctlStructure } from "../host/kernel.ts";

/** Block devices over files. The kernel takes one back by itself once nothing has it mounted or open. */

const requests = { clear: 0x4c01, configure: 0x4c0a, getFree: 0x4c82 } as const;
const autoclear = 4;

/** Runs `use` with a device over the file; whatever `use` mounts keeps the device. */
export async function withLoopDevice<T>(file: string, use: (device: string) => Promise<T>): Promise<T> {
  const backing = openSync(file, constants.O_RDWR);
  try {
    const { device, fd } = await attach(backing, file);
    try {
      return await use(device);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(backing);
  }
}

async function attach(backing: number, file: string): Promise<{ device: string; fd: number }> {
  const control = openSync("/dev/loop-control", constants.O_RDWR);
  try {
    for (let attempt = 1; ; attempt += 1) {
      const device = `/dev/loop${ioctlNumber(control, requests.getFree, 0)}`;
      const fd = openSync(device, constants.O_RDWR);
      try {
        await ioctlStructure(fd, requests.configure, configuration(backing, file));
        return { device, fd };
      } catch (error) {
        closeSync(fd);
        // Most likely someone else took the same free device in between.
        if (attempt >= 50) throw error;
        if (attempt > 5) await sleep(Math.random() * 10);
      }
    }
  } finally {
    closeSync(control);
  }
}

/** `struct loop_config`: descriptor and block size, then `struct loop_info64`. */
function configuration(backing: number, file: string): Buffer {
  const config = Buffer.alloc(304);
  config.writeUInt32LE(backing, 0);
  config.writeUInt32LE(autoclear, 60);
  config.write(file.slice(-63), 64, 63, "latin1");
  return config;
}

/** The devices whose file is `path` or lies below it, deleted files included. */
export function loopDevicesOver(path: string): string[] {
  return readdirSync("/sys/block").flatMap((name) => {
    if (!name.startsWith("loop")) return [];
    try {
      const file = readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8")
        .trim()
        .replace(/ \(deleted\)$/, "");
      return file === path || file.startsWith(`${path}/`) ? [`/dev/${name}`] : [];
    } catch {
      return [];
    }
  });
}

/** Waits for the kernel to take back what is over `path`, and after a second asks it to. */
export async function releaseLoopDevices(path: string, timeoutMs: number): Promise<void> {
  const begun = performance.now();
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const devices = loopDevicesOver(path);
    if (devices.length === 0) return;
    const waited = performance.now() - begun;
    if (waited > timeoutMs) throw new Error(`still attached: ${devices.join(", ")}`);
    if (waited > 1000) devices.forEach(clear);
    await sleep(pause);
  }
}

function clear(device: string): void {
  try {
    const fd = openSync(device, constants.O_RDWR);
    try {
      ioctlNumber(fd, requests.clear, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Taken back meanwhile, or still in use: the next look tells.
  }
}
