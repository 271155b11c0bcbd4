import { Sandbox } from "e2b";
import { connectionOptions } from "../support/sdk.ts";
import type { Stack } from "../support/stack.ts";
import type { Times } from "./create.ts";

export interface TrafficFigures {
  /** Milliseconds from `commands.run("true")` to its result. */
  readonly roundTrip: Times;
  /** Milliseconds from a key sent to a terminal until its echo has arrived. */
  readonly echo: Times;
  /** Megabytes (10⁶ bytes) per second of a command's output, and of files as large as `bytes`. */
  readonly streamed: number;
  readonly uploaded: number;
  readonly downloaded: number;
}

/** What one client does with one sandbox, through the SDK. */
export async function measureTraffic(stack: Stack, runs: number, bytes: number): Promise<TrafficFigures> {
  const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 900_000 });
  try {
    return {
      roundTrip: await roundTrips(sandbox, runs),
      echo: await echoes(sandbox, runs),
      streamed: megabytesPerSecond(bytes, await stream(sandbox, bytes)),
      uploaded: megabytesPerSecond(bytes, await upload(sandbox, bytes)),
      downloaded: megabytesPerSecond(bytes, await download(sandbox, bytes)),
    };
  } finally {
    await sandbox.kill();
  }
}

async function roundTrips(sandbox: Sandbox, runs: number): Promise<Times> {
  const times: number[] = [];
  for (let count = 0; count <= runs; count += 1) {
    const start = performance.now();
    await sandbox.commands.run("true");
    // The first one warms both sides.
    if (count > 0) times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}

async function echoes(sandbox: Sandbox, runs: number): Promise<Times> {
  let received = 0;
  let heard = () => {};
  const terminal = await sandbox.pty.create({
    cols: 80,
    rows: 24,
    timeoutMs: 0,
    onData: (data) => {
      received += data.length;
      heard();
    },
  });
  const quiet = async () => {
    for (let before = -1; before !== received; ) {
      before = received;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  };
  try {
    await quiet();
    // A terminal's own echo, without a shell that redraws its line.
    await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode("exec cat\n"));
    await quiet();
    const times: number[] = [];
    for (let count = 0; count <= runs; count += 1) {
      const before = received;
      const start = performance.now();
      const arrived = new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error("A terminal did not echo within 10 s")), 10_000);
        heard = () => {
          if (received === before) return;
          clearTimeout(late);
          resolve();
        };
      });
      await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode("x"));
      await arrived;
      if (count > 0) times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b);
  } finally {
    await sandbox.pty.kill(terminal.pid);
  }
}

/** @returns milliseconds. */
async function stream(sandbox: Sandbox, bytes: number): Promise<number> {
  let received = 0;
  const start = performance.now();
  await sandbox.commands.run(`head -c ${bytes} /dev/zero | tr '\\0' 'x'`, {
    timeoutMs: 300_000,
    onStdout: (text) => {
      received += text.length;
    },
  });
  if (received !== bytes) throw new Error(`Of ${bytes} bytes ${received} arrived`);
  return performance.now() - start;
}

async function upload(sandbox: Sandbox, bytes: number): Promise<number> {
  const content = new Blob([new Uint8Array(bytes).fill(120)]);
  const start = performance.now();
  await sandbox.files.write("upload.bin", content, { requestTimeoutMs: 300_000 });
  const took = performance.now() - start;
  const { size } = await sandbox.files.getInfo("upload.bin");
  if (size !== bytes) throw new Error(`Of ${bytes} bytes ${size} were stored`);
  return took;
}

async function download(sandbox: Sandbox, bytes: number): Promise<number> {
  const start = performance.now();
  let received = 0;
  const body = await sandbox.files.read("upload.bin", { format: "stream", requestTimeoutMs: 300_000 });
  for await (const chunk of body) received += chunk.length;
  if (received !== bytes) throw new Error(`Of ${bytes} bytes ${received} came back`);
  return performance.now() - start;
}

function megabytesPerSecond(bytes: number, ms: number): number {
  return bytes / 1_000 / ms;
}
