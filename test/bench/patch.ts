import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Sandbox } from "e2b";
import { connectionOptions } from "../support/sdk.ts";
import { repository, type Stack } from "../support/stack.ts";
import { type LoadResult, runLoad } from "./load.ts";

export const modes = ["push", "push-off", "lua"] as const;
export type Mode = (typeof modes)[number];

export interface PatchRow extends Readonly<Record<Mode, LoadResult>> {
  /** Messages to nodes per edit. */
  readonly messagesPerEdit: number;
}

/** By number of connections. */
export type PatchFigures = ReadonlyMap<number, PatchRow>;

/**
 * The three servers take turns at each number of connections, on the same Redis and the same sandboxes. Each connection
 * edits a sandbox of its own up to 32, then they share.
 */
export async function measurePatch(
  stack: Stack,
  connections: readonly number[],
  seconds: number,
): Promise<PatchFigures> {
  const store = stack.redis?.url;
  if (store === undefined) throw new Error("This comparison is over Redis");
  const count = Math.min(32, Math.max(...connections));
  const sandboxes: Sandbox[] = [];
  const servers: { mode: Mode; url: string; child: ChildProcess }[] = [];
  try {
    for (let made = 0; made < count; made += 1) {
      sandboxes.push(await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 900_000 }));
    }
    for (const mode of modes) servers.push({ mode, ...(await startServer(mode, store, stack.data)) });
    const figures = new Map<number, PatchRow>();
    for (const number of connections) {
      const row: Partial<Record<Mode, LoadResult>> = {};
      let messagesPerEdit = 0;
      for (const { mode, url, child } of servers) {
        const before = mode === "push" ? await messagesOf(child) : undefined;
        row[mode] = await runLoad({
          origin: url,
          connections: number,
          seconds,
          request: (index, sent) => ({
            method: "PATCH",
            path: `/sandboxes/${sandboxes[index % count]?.sandboxId}/metadata`,
            headers: { "X-API-Key": stack.apiKey, "content-type": "application/json" },
            body: JSON.stringify({ step: `${index}-${sent}`, stage: "bench" }),
          }),
        });
        if (before !== undefined) {
          const after = await messagesOf(child);
          messagesPerEdit = (after - before) / (row[mode]?.requests ?? 0);
        }
      }
      const { push, "push-off": off, lua } = row;
      if (push && off && lua) figures.set(number, { push, "push-off": off, lua, messagesPerEdit });
    }
    return figures;
  } finally {
    for (const { child } of servers) child.kill("SIGKILL");
    await Promise.allSettled(sandboxes.map((sandbox) => sandbox.kill()));
  }
}

async function startServer(mode: Mode, store: string, data: string): Promise<{ url: string; child: ChildProcess }> {
  const program = join(repository, "test/bench/patch-server.ts");
  const args = ["--conditions=source", "--disable-warning=ExperimentalWarning", program, mode, store, data];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
    child.once("exit", (code) => reject(new Error(`The ${mode} server ended with ${code}`)));
  });
  return { url, child };
}

/** How many messages a server of the API has sent to nodes so far. */
async function messagesOf(child: ChildProcess): Promise<number> {
  const answer = once(child, "message", { signal: AbortSignal.timeout(10_000) });
  child.send("pushed");
  const [messages]: unknown[] = await answer;
  return Number(messages);
}
