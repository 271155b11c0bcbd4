import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CommandExitError, Sandbox } from "e2b";
import { connectionOptions } from "../support/sdk.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);

export type IsolationUnderTest = "runc" | "gvisor";

/** The isolation that `CASTELLAN_TEST_ISOLATION` names. */
export function isolationUnderTest(): IsolationUnderTest {
  const name = process.env["CASTELLAN_TEST_ISOLATION"] ?? "runc";
  if (name !== "runc" && name !== "gvisor") throw new Error(`CASTELLAN_TEST_ISOLATION=${name}: runc or gvisor`);
  return name;
}

/** How `castellan up` is told to use it. */
function argumentsFor(isolation: IsolationUnderTest): string[] {
  return isolation === "runc" ? [] : ["--isolation", isolation];
}

/** What an attacker inside is told about the world outside, so that it need not guess. */
export interface Targets {
  readonly isolation: IsolationUnderTest;
  readonly hostAddresses: readonly string[];
  readonly hostAddresses6: readonly string[];
  readonly hostPorts: readonly number[];
  /** The address of the sandbox beside. */
  readonly neighbour: string;
  /** A file that everyone on the host may read. */
  readonly secretFile: string;
  readonly socketPath: string;
  readonly abstractSocket: string;
  readonly shmKey: number;
  readonly shmName: string;
  readonly hostPid: number;
  readonly hostCommand: string;
  /** What the node shows the daemon. */
  readonly secret: string;
}

/** An installation, a sandbox to attack from, one to attack, and things on the host to find. */
export interface Subject {
  readonly isolation: IsolationUnderTest;
  readonly stack: Stack;
  readonly attacker: Sandbox;
  readonly neighbour: Sandbox;
  readonly targets: Targets;
  /** A further sandbox, for what its own end may come of. */
  create(): Promise<Sandbox>;
  dispose(): Promise<void>;
}

/** @param args Of `castellan up`, beyond those of the isolation. @param directory The repository to run. */
export async function startSubject(isolation: IsolationUnderTest): Promise<Subject> {
  const bait = await layBait();
  let stack: Stack | undefined;
  const dispose = async () => {
    await stack?.dispose();
    await bait.remove();
  };
  try {
    stack = await startStack({ store: "redis", args: argumentsFor(isolation) });
    const options = { ...connectionOptions(stack), timeoutMs: 900_000 };
    const create = () => Sandbox.create("base", options);
    const [attacker, neighbour] = [await create(), await create()];
    await serveInside(neighbour);
    const targets: Targets = {
      ...bait.targets,
      isolation,
      ...hostAddresses(),
      hostPorts: await listeningPorts(),
      neighbour: await addressOf(neighbour),
      secret: await daemonSecret(stack.data, attacker.sandboxId),
    };
    for (const port of [stack.port, stack.redis?.port]) {
      if (port !== undefined && !targets.hostPorts.includes(port)) throw new Error(`${port} should be a target`);
    }
    return { isolation, stack, attacker, neighbour, targets, create, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

export interface Ended {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly error: string;
  readonly ms: number;
}

/** Runs a command and tells how it ended, whichever way. */
export async function tryInside(
  sandbox: Sandbox,
  command: string,
  options: { readonly user?: string; readonly timeoutMs?: number; readonly envs?: Record<string, string> } = {},
): Promise<Ended> {
  const begun = performance.now();
  const ms = () => Math.round(performance.now() - begun);
  try {
    const { exitCode, stdout } = await sandbox.commands.run(command, { timeoutMs: 30_000, ...options });
    return { exitCode, stdout, error: "", ms: ms() };
  } catch (error) {
    if (error instanceof CommandExitError) {
      const said = [error.error, error.stderr].filter(Boolean).join("; ");
      return { exitCode: error.exitCode, stdout: error.stdout, error: said, ms: ms() };
    }
    return { exitCode: undefined, stdout: "", error: String(error), ms: ms() };
  }
}

/** Servers whose answer would be a way into the sandbox beside. */
async function serveInside(sandbox: Sandbox): Promise<void> {
  const script = `import socket, threading
tcp = socket.create_server(("0.0.0.0", 8000)); udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 8001))
def echo():
    while True:
        data, peer = udp.recvfrom(99); udp.sendto(data, peer)
threading.Thread(target=echo, daemon=True).start()
while True: tcp.accept()[0].close()
`;
  await sandbox.files.write("/tmp/servers.py", script);
  await sandbox.commands.run("python3 /tmp/servers.py", { background: true, timeoutMs: 0 });
  await until(
    async () =>
      (await tryInside(sandbox, "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8000))'"))
        .exitCode === 0,
  );
}

async function addressOf(sandbox: Sandbox): Promise<string> {
  const { stdout } = await sandbox.commands.run("hostname -I 2>/dev/null || getent ahostsv4 $(hostname)");
  const address = /(?<!127\.[\d.]*)\b(?!127\.)\d+\.\d+\.\d+\.\d+/.exec(stdout)?.[0];
  if (address === undefined) throw new Error(`No address in ${stdout}`);
  return address;
}

function hostAddresses(): Pick<Targets, "hostAddresses" | "hostAddresses6"> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal }) => !internal);
  return {
    hostAddresses: outer.flatMap(({ family, address }) => (family === "IPv4" ? [address] : [])),
    hostAddresses6: outer.flatMap(({ family, address, scopeid }) => (family === "IPv6" && !scopeid ? [address] : [])),
  };
}

/** TCP ports that anything on the host listens on, the daemon's own number apart, which is the sandbox's on loopback. */
async function listeningPorts(): Promise<number[]> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")),
  );
  const lines = tables.flatMap((table) => table.split("\n").slice(1));
  const ports = lines.flatMap((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === "0A" && local !== undefined ? [Number.parseInt(local.split(":")[1] ?? "", 16)] : [];
  });
  return [...new Set(ports)].filter((port) => port !== 49983);
}

async function daemonSecret(data: string, sandboxId: string): Promise<string> {
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".json") || entry.parentPath.includes("templates")) continue;
    const text = await readFile(join(entry.parentPath, entry.name), "utf8").catch(() => "");
    const secret = text.includes(sandboxId) ? /"daemonSecret":\s*"([0-9a-f]+)"/.exec(text)?.[1] : undefined;
    if (secret !== undefined) return secret;
  }
  throw new Error("The node keeps no secret for the daemon where it was looked for");
}

/** What must not be found from inside. */
async function layBait() {
  const directory = await mkdtemp(join(tmpdir(), "castellan-bait-"));
  const name = directory.slice(directory.lastIndexOf("/") + 1);
  const secretFile = join(directory, "secret");
  await run("chmod", ["755", directory]);
  await writeFile(secretFile, "of the host", { mode: 0o644 });
  const shmKey = 0x0ca5_0000 + (process.pid & 0xffff);
  // One process holds what must be held: a segment, a file in memory, and its own number.
  const holder = spawn("python3", ["-c", holderScript, String(shmKey), name], { stdio: ["pipe", "pipe", "inherit"] });
  const servers = [join(directory, "socket"), `\0${name}`].map((path) => createServer().listen(path));
  const remove = async () => {
    holder.stdin.end();
    if (holder.exitCode === null) await once(holder, "exit");
    await Promise.all(servers.map(closed));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await once(holder.stdout, "data", { signal: AbortSignal.timeout(10_000) });
  } catch (error) {
    await remove();
    throw error;
  }
  const targets = {
    secretFile,
    socketPath: join(directory, "socket"),
    abstractSocket: name,
    shmKey,
    shmName: name,
    hostPid: holder.pid ?? 0,
    hostCommand: name,
  };
  return { targets, remove };
}

const holderScript = `
import ctypes, os, sys
key, name = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None); segment = libc.shmget(key, 4096, 0o1666)
open("/dev/shm/" + name, "w").write("of the host")
print("ready", flush=True)
sys.stdin.read()
libc.shmctl(segment, 0, None); os.unlink("/dev/shm/" + name)
`;

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
