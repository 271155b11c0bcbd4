import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Sandbox } from "e2b";
import { connectionOptions } from "../support/sdk.ts";
import { freePort, type Stack } from "../support/stack.ts";

const run = promisify(execFile);

export const ways = ["direct", "nginx", "castellan"] as const;
export type Way = (typeof ways)[number];

export interface WayFigures {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** A server as an agent writes it. */
const server = `
import { createServer } from "node:http";
createServer((request, response) => {
  response.setHeader("Content-Type", "text/plain");
  response.end("hello from the sandbox");
}).listen(8080, "0.0.0.0");
`;

/**
 * A small answer of one server in one sandbox, over 32 kept connections: without a proxy, through nginx on the host with
 * one worker and kept connections, and through the edge, which looks up the sandbox, keeps to its rules and tunnels into its
 * network. They take turns; the first turn of each only warms it, and of the others the best counts.
 */
export async function measureEdge(stack: Stack, seconds: number, turns: number): Promise<Record<Way, WayFigures>> {
  const sandbox = await Sandbox.create("base", { ...connectionOptions(stack), timeoutMs: 900_000 });
  const directory = await mkdtemp(join(tmpdir(), "castellan-bench-"));
  let nginx: ChildProcess | undefined;
  try {
    await sandbox.files.write("server.mjs", server);
    await sandbox.commands.run("node server.mjs", { background: true, timeoutMs: 0 });
    const { stdout } = await sandbox.commands.run("hostname -I; curl -s --retry 20 --retry-all-errors localhost:8080");
    const upstream = `${stdout.split(/\s/)[0]}:8080`;
    const port = await freePort();
    nginx = await startNginx(directory, port, upstream);
    const urls: Record<Way, string[]> = {
      direct: [`http://${upstream}/`],
      nginx: [`http://127.0.0.1:${port}/`],
      castellan: [
        `${stack.sandboxUrl}/`,
        "--header",
        `E2b-Sandbox-Id: ${sandbox.sandboxId}`,
        "--header",
        "E2b-Sandbox-Port: 8080",
      ],
    };
    const best: Partial<Record<Way, WayFigures>> = {};
    for (let turn = 0; turn <= turns; turn += 1) {
      for (const way of ways) {
        const figures = await load(urls[way], seconds);
        const before = best[way];
        if (turn > 0 && !(before && before.requestsPerSecond >= figures.requestsPerSecond)) best[way] = figures;
      }
    }
    const { direct, nginx: through, castellan } = best;
    if (!direct || !through || !castellan) throw new Error("There was no turn");
    return { direct, nginx: through, castellan };
  } finally {
    nginx?.kill();
    await sandbox.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

async function startNginx(directory: string, port: number, upstream: string): Promise<ChildProcess> {
  const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${join(directory, name)};`)
    .join(" ");
  const config = `
    daemon off; master_process off; pid ${join(directory, "pid")}; error_log ${join(directory, "error.log")};
    events { worker_connections 1024; }
    http {
      access_log off; ${scratch} keepalive_requests 10000000;
      upstream sandbox { server ${upstream}; keepalive 64; keepalive_requests 10000000; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://sandbox; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        }
      }
    }`;
  await writeFile(join(directory, "nginx.conf"), config);
  const child = spawn("nginx", ["-p", directory, "-c", join(directory, "nginx.conf")], { stdio: "ignore" });
  for (let tries = 0; tries < 50; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    const answered = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    );
    if (answered?.ok) return child;
  }
  child.kill();
  throw new Error("nginx did not answer within 5 s");
}

async function load(target: readonly string[], seconds: number): Promise<WayFigures> {
  const args = ["--threads", "1", "--connections", "32", "--duration", `${seconds}s`, "--latency", ...target];
  const { stdout } = await run("wrk", args, { timeout: (seconds + 30) * 1_000 });
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`Not every request was answered with 200:\n${stdout}`);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  if (rate === undefined) throw new Error(`wrk said nothing of requests:\n${stdout}`);
  return { requestsPerSecond: Number(rate), p50: latency(stdout, "50%"), p99: latency(stdout, "99%") };
}

/** @returns milliseconds of a quantile, as wrk prints it: `50%  492.00us`. */
function latency(output: string, quantile: string): number {
  const [, number, unit] = new RegExp(`^\\s+${quantile}\\s+([\\d.]+)(us|ms|s)$`, "m").exec(output) ?? [];
  return Number(number) * (unit === "us" ? 0.001 : unit === "s" ? 1_000 : 1);
}
