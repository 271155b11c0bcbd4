import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "../support/rest.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { askProbe, type Held, residentOf } from "./memory.ts";

/** A whole installation with sandboxes that run, and what a fuzzer needs to know of it. */
export interface Subject {
  readonly stack: Stack;
  /** Ports on loopback. */
  readonly ports: { readonly edge: number; readonly registry: number; readonly node: number; readonly gateway: number };
  readonly clusterToken: string;
  /** Takes part in everything; made anew when a case has ended it. */
  readonly sandbox: Target;
  /** Needs its token for commands and files. */
  readonly locked: Target;
  /** Makes sure that both sandboxes run, and that they and the API answer an ordinary request rightly. */
  refresh(): Promise<void>;
  /** What every process holds, by name. */
  held(): Promise<ReadonlyMap<string, Held>>;
  /** Lines of the log since the last look that tell of a fault. */
  faults(): readonly string[];
  dispose(): Promise<void>;
}

export interface Target {
  readonly sandboxId: string;
  readonly envdAccessToken: string;
}

const probe = fileURLToPath(new URL("./memory-probe.ts", import.meta.url));

export async function startSubject(): Promise<Subject> {
  const probes = await mkdtemp(join(tmpdir(), "castellan-fuzz-"));
  const stack = await startStack({
    args: ["--max-sandboxes", "8"],
    env: {
      NODE_OPTIONS: `--expose-gc --disable-warning=ExperimentalWarning --import ${probe}`,
      CASTELLAN_MEMORY_PROBE: probes,
    },
  });
  const dispose = async () => {
    await stack.dispose();
    await rm(probes, { recursive: true, force: true });
  };
  try {
    const node = nodeLine(stack.log());
    let readTo = 0;
    const targets = { sandbox: await createTarget(stack, false), locked: await createTarget(stack, true) };
    return {
      stack,
      ports: {
        edge: stack.port,
        registry: await registryPort(stack),
        node: Number(new URL(node.address).port),
        gateway: Number(node.gatewayAddress.split(":").at(-1)),
      },
      clusterToken: (await readFile(join(stack.data, "cluster-token"), "utf8")).trim(),
      get sandbox() {
        return targets.sandbox;
      },
      get locked() {
        return targets.locked;
      },
      async refresh() {
        if (!(await isRunning(stack, targets.sandbox))) targets.sandbox = await createTarget(stack, false);
        if (!(await isRunning(stack, targets.locked))) targets.locked = await createTarget(stack, true);
        await requireDaemon(stack, targets.sandbox);
        await requireDaemon(stack, targets.locked);
      },
      async held() {
        const main = stack.process.pid ?? 0;
        const held = new Map<string, Held>([["control plane and edge", await askProbe(probes, main)]]);
        for (const pid of await childrenOf(main)) held.set("node", await askProbe(probes, pid));
        const { sandboxId } = targets.sandbox;
        const daemon = await daemonOf(stack.data, sandboxId);
        // Named after its sandbox: another one's cannot be compared with it.
        if (daemon !== undefined) held.set(`daemon of ${sandboxId}`, await residentOf(daemon));
        return held;
      },
      faults() {
        const fresh = stack.log().slice(readTo);
        const end = fresh.lastIndexOf("\n") + 1;
        readTo += end;
        return fresh.slice(0, end).split("\n").filter(isFault);
      },
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** What the log of a service in order does not hold: a line of level error or above, or one that is no log line. */
function isFault(line: string): boolean {
  if (line === "") return false;
  try {
    const { level }: { level?: unknown } = JSON.parse(line);
    return typeof level !== "number" || level >= 50;
  } catch {
    return true;
  }
}

async function createTarget(stack: Stack, secure: boolean): Promise<Target> {
  const answer = await request(stack, "POST", "/sandboxes", { body: { templateID: "base", timeout: 3600, secure } });
  const { body } = answer;
  if (answer.status !== 201 || typeof body !== "object" || body === null || !("sandboxID" in body)) {
    throw new Error(`No sandbox to test with: ${answer.status} ${JSON.stringify(body)}`);
  }
  const token = "envdAccessToken" in body ? String(body.envdAccessToken) : "";
  return { sandboxId: String(body.sandboxID), envdAccessToken: token };
}

async function isRunning(stack: Stack, { sandboxId }: Target): Promise<boolean> {
  const { status } = await request(stack, "POST", `/sandboxes/${sandboxId}/timeout`, { body: { timeout: 3600 } });
  if (status !== 204 && status !== 404) throw new Error(`The API answers an ordinary request with ${status}`);
  return status === 204;
}

/** Runs a command through the edge, as a client does. */
async function requireDaemon(stack: Stack, { sandboxId, envdAccessToken }: Target): Promise<void> {
  const message = Buffer.from(JSON.stringify({ process: { cmd: "/bin/echo", args: ["in", "order"] } }));
  const envelope = Buffer.concat([Buffer.alloc(5), message]);
  envelope.writeUInt32BE(message.length, 1);
  const response = await fetch(`${stack.sandboxUrl}/process.Process/Start`, {
    method: "POST",
    headers: {
      "E2b-Sandbox-Id": sandboxId,
      "E2b-Sandbox-Port": "49983",
      "Content-Type": "application/connect+json",
      ...(envdAccessToken === "" ? {} : { "X-Access-Token": envdAccessToken }),
    },
    body: envelope,
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (response.status !== 200 || !text.includes(Buffer.from("in order\n").toString("base64"))) {
    throw new Error(`The daemon does not run an ordinary command: ${response.status} ${text.slice(0, 300)}`);
  }
}

function nodeLine(log: string): { address: string; gatewayAddress: string } {
  const line = log.split("\n").find((text) => text.includes('"node is up"'));
  const { address, gatewayAddress } = JSON.parse(line ?? "{}");
  if (typeof address !== "string" || typeof gatewayAddress !== "string") throw new Error("The node logged no address");
  return { address, gatewayAddress };
}

/** The registry listens beside the API, unless that port was taken. */
async function registryPort(stack: Stack): Promise<number> {
  const inodes = new Set<string>();
  const fds = `/proc/${stack.process.pid}/fd`;
  for (const fd of await readdir(fds)) {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(join(fds, fd)).catch(() => ""))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n")) {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.split(":")[1] ?? "", 16);
    if (state === "0A" && inodes.has(inode) && port !== stack.port) return port;
  }
  throw new Error("The registry listens nowhere");
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

/** The daemon's process on the host: the largest one below the sandbox's first. */
async function daemonOf(data: string, sandboxId: string): Promise<number | undefined> {
  for (const node of await readdir(join(data, "nodes"))) {
    const executions = join(data, "nodes", node, "runtime", "executions");
    for (const executionId of await readdir(executions).catch(() => [])) {
      const record = await readFile(join(executions, executionId, "execution.json"), "utf8").catch(() => "{}");
      const { sandboxId: id, init }: { sandboxId?: string; init?: { pid?: number } } = JSON.parse(record);
      if (id !== sandboxId || typeof init?.pid !== "number") continue;
      const children = await childrenOf(init.pid);
      const sizes = await Promise.all(children.map(async (pid) => (await residentOf(pid)).rss));
      return children[sizes.indexOf(Math.max(...sizes))];
    }
  }
  return undefined;
}
