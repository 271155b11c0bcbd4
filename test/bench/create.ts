import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Sandbox } from "e2b";
import { connectionOptions } from "../support/sdk.ts";
import type { Stack } from "../support/stack.ts";
import { quantile } from "./load.ts";

const run = promisify(execFile);
const command = "echo hi";

/** Milliseconds, sorted. */
export type Times = readonly number[];

export interface CreateFigures {
  readonly sandbox: Times;
  readonly podman: Times | undefined;
  readonly runc: Times;
  readonly burst: { readonly count: number; readonly times: Times; readonly failed: number; readonly tookMs: number };
}

/** From the request to the command's first output, one after the other, the three taking turns; then a burst. */
export async function measureCreate(stack: Stack, rootfs: string, runs: number, burst: number): Promise<CreateFigures> {
  const sandbox: number[] = [];
  const podman: number[] = [];
  const runc: number[] = [];
  const withPodman = await hasPodman();
  await createOnce(stack);
  for (let count = 0; count < runs; count += 1) {
    sandbox.push(await createOnce(stack));
    if (withPodman) podman.push(await podmanOnce(rootfs));
    runc.push(await runcOnce(rootfs));
  }
  const start = performance.now();
  const results = await Promise.allSettled(Array.from({ length: burst }, () => createOnce(stack)));
  const tookMs = performance.now() - start;
  const times = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  return {
    sandbox: sorted(sandbox),
    podman: withPodman ? sorted(podman) : undefined,
    runc: sorted(runc),
    burst: { count: burst, times: sorted(times), failed: burst - times.length, tookMs },
  };
}

export interface MemoryFigures {
  readonly sandboxes: number;
  /** Bytes per sandbox, medians: private to its processes, and its share of what is mapped by several. */
  readonly privateBytes: number;
  readonly proportionalBytes: number;
}

/** Memory of idle sandboxes, a few seconds after they were created. */
export async function measureMemory(stack: Stack, count: number): Promise<MemoryFigures> {
  const sandboxes = await Promise.all(
    Array.from({ length: count }, () => Sandbox.create("base", connectionOptions(stack))),
  );
  try {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const figures = await Promise.all(sandboxes.map((sandbox) => memoryOf(sandbox.sandboxId)));
    return {
      sandboxes: count,
      privateBytes: quantile(sorted(figures.map(({ own }) => own)), 0.5),
      proportionalBytes: quantile(sorted(figures.map(({ share }) => share)), 0.5),
    };
  } finally {
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
  }
}

async function createOnce(stack: Stack): Promise<number> {
  const start = performance.now();
  let first: number | undefined;
  const sandbox = await Sandbox.create("base", connectionOptions(stack));
  try {
    await sandbox.commands.run(command, {
      onStdout: () => {
        first ??= performance.now() - start;
      },
    });
  } finally {
    await sandbox.kill();
  }
  if (first === undefined) throw new Error("The command printed nothing");
  return first;
}

async function hasPodman(): Promise<boolean> {
  return await run("podman", ["--version"]).then(
    () => true,
    () => false,
  );
}

/** With limits and a network as podman sets them up by default, on the same root file system with a layer above it. */
async function podmanOnce(rootfs: string): Promise<number> {
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
  return await firstOutput("podman", ["run", "--rm", ...limits, "--rootfs", `${rootfs}:O`, "sh", "-c", command]);
}

/** The bare runtime: an overlay mount and `runc run`, without limits, user namespace or network set-up. */
async function runcOnce(rootfs: string): Promise<number> {
  const bundle = await mkdtemp(join(tmpdir(), "castellan-bench-"));
  const root = join(bundle, "rootfs");
  try {
    const start = performance.now();
    for (const name of ["rootfs", "upper", "work"]) await mkdir(join(bundle, name));
    const layers = `lowerdir=${rootfs},upperdir=${join(bundle, "upper")},workdir=${join(bundle, "work")}`;
    await run("mount", ["-t", "overlay", "castellan-bench", "-o", layers, root]);
    await run("runc", ["spec", "-b", bundle]);
    const path = join(bundle, "config.json");
    const config = JSON.parse(await readFile(path, "utf8"));
    config.process.terminal = false;
    config.process.args = ["sh", "-c", command];
    config.process.rlimits = [];
    await writeFile(path, JSON.stringify(config));
    const before = performance.now() - start;
    return before + (await firstOutput("runc", ["run", "-b", bundle, `bench-${process.pid}-${Date.now()}`]));
  } finally {
    await run("umount", [root]).catch(() => undefined);
    await rm(bundle, { recursive: true, force: true });
  }
}

async function firstOutput(program: string, args: readonly string[]): Promise<number> {
  const start = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
  let first: number | undefined;
  let complaint = "";
  child.stdout.on("data", () => {
    first ??= performance.now() - start;
  });
  child.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (first === undefined) throw new Error(`${program} ended with ${code}: ${complaint}`);
  return first;
}

/** Over the processes whose host name is the sandbox's own, as the kernel accounts them. */
async function memoryOf(sandboxId: string): Promise<{ own: number; share: number }> {
  let own = 0;
  let share = 0;
  for (const pid of await processesOf(sandboxId)) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0);
    own += (kilobytes("Private_Clean") + kilobytes("Private_Dirty")) * 1024;
    share += kilobytes("Pss") * 1024;
  }
  if (own === 0) throw new Error(`No processes of ${sandboxId} were found`);
  return { own, share };
}

/** A sandbox's processes carry its id in the mount table of their namespace: the host name file or the disk. */
async function processesOf(sandboxId: string): Promise<string[]> {
  const pids: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const hostname = await readFile(`/proc/${pid}/root/etc/hostname`, "utf8").catch(() => "");
    if (hostname.trim() === sandboxId) pids.push(pid);
  }
  return pids;
}

function sorted(values: readonly number[]): Times {
  return [...values].sort((a, b) => a - b);
}
