// `npm run bench [-- [--quick] [lists|recovery|create|memory|traffic|edge|patch] …]`: every figure that the README quotes, in one
// run, or the named ones. `--quick` takes a tenth of the time, for a look.
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { templateDirectory } from "@castellan/template";
import { startStack, templatesDirectory } from "../support/stack.ts";
import { measureCreate, measureMemory, type Times } from "./create.ts";
import { measureEdge, ways } from "./edge.ts";
import { measureLists } from "./lists.ts";
import { quantile } from "./load.ts";
import { measurePatch, modes, type PatchFigures } from "./patch.ts";
import { describeRecovery, measureRecovery } from "./recovery.ts";
import { measureTraffic } from "./traffic.ts";

const quick = process.argv.includes("--quick");
const runs = quick ? 3 : 30;
const burst = quick ? 4 : 20;
const seconds = quick ? 1 : 8;

console.log(`${availableParallelism()} processors, Node ${process.versions.node}. Times in milliseconds.\n`);

const parts = ["lists", "recovery", "create", "memory", "traffic", "edge", "patch"] as const;
type Part = (typeof parts)[number];
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));

if (wanted("lists")) {
  const [few, many] = [1_000, quick ? 10_000 : 100_000];
  console.log(`A page of 100 sandboxes of one team, which has ${few} or ${many} of them`);
  console.log("store   filter                             few p50  many p50     p99  ratio  longest script");
  const figures = await measureLists([few, many], quick ? 20 : 200);
  for (const { store, filter, sandboxes, p50, p99, longestScript } of figures) {
    if (sandboxes !== many) continue;
    const before = figures.find((row) => row.store === store && row.filter === filter && row.sandboxes === few);
    console.log(
      `${store.padEnd(8)}${filter.padEnd(33)}${(before?.p50 ?? 0).toFixed(2).padStart(9)}` +
        `${p50.toFixed(2).padStart(10)}${p99.toFixed(2).padStart(8)}${(p50 / (before?.p50 ?? 0)).toFixed(2).padStart(7)}` +
        `${(longestScript?.toFixed(2) ?? "").padStart(16)}`,
    );
  }
  console.log();
}
if (wanted("recovery")) {
  console.log("How long edits wait in a new epoch of the store, until the first 200");
  console.log("store                            nodes  sandboxes  median     p95     max");
  for (const figures of await measureRecovery([1, 50], quick ? 2 : 10)) console.log(describeRecovery(figures));
  console.log();
}
if (!parts.some((part) => part !== "lists" && part !== "recovery" && wanted(part))) process.exit();

// Without the request rate of a team: what is measured is the service, not its limit.
const limits = join(await mkdtemp(join(tmpdir(), "castellan-bench-")), "limits.json");
await writeFile(limits, JSON.stringify({ teams: { default: { requestsPerSecond: null } } }));
const stack = await startStack({ store: "redis", args: ["--limits", limits] });
try {
  if (wanted("create")) {
    const rootfs = await realpath(await templateDirectory(templatesDirectory).rootfs("base"));
    const create = await measureCreate(stack, rootfs, runs, burst);
    console.log(`Create to first output of a command, ${runs} in turn (burst: ${burst} at once)`);
    printTimes("Castellan, through the SDK", create.sandbox);
    if (create.podman) printTimes("podman run", create.podman);
    else console.log("podman run                     not installed");
    printTimes("runc run, no limits or network", create.runc);
    printTimes("Castellan, burst", create.burst.times);
    console.log(`burst: ${create.burst.failed} failed, all done after ${create.burst.tookMs.toFixed(0)}\n`);
  }

  if (wanted("memory")) {
    const memory = await measureMemory(stack, quick ? 2 : 10);
    console.log(`Memory of an idle sandbox, median of ${memory.sandboxes}`);
    console.log(`private ${mebibytes(memory.privateBytes)}, proportional ${mebibytes(memory.proportionalBytes)}\n`);
  }

  if (wanted("traffic")) {
    const bytes = quick ? 10_000_000 : 100_000_000;
    const traffic = await measureTraffic(stack, runs, bytes);
    console.log(`One client and one sandbox, through the SDK; ${bytes / 1e6} MB each way`);
    printTimes("command round trip", traffic.roundTrip);
    printTimes("echo of a terminal", traffic.echo, 1);
    const { streamed, uploaded, downloaded } = traffic;
    console.log(`output of a command ${rate(streamed)}, upload ${rate(uploaded)}, download ${rate(downloaded)}\n`);
  }

  if (wanted("edge")) {
    const edge = await measureEdge(stack, quick ? 1 : 8, quick ? 1 : 3);
    console.log("GET of a small answer from a server in a sandbox, 32 connections");
    console.log("way         requests/s     p50     p99  ratio to nginx");
    for (const way of ways) {
      const { requestsPerSecond, p50, p99 } = edge[way];
      const ratio = requestsPerSecond / edge.nginx.requestsPerSecond;
      console.log(
        `${way.padEnd(10)}${requestsPerSecond.toFixed(0).padStart(12)}` +
          `${p50.toFixed(2).padStart(8)}${p99.toFixed(2).padStart(8)}  ${ratio.toFixed(2)}`,
      );
    }
    console.log();
  }

  if (wanted("patch")) {
    console.log(`PATCH metadata over Redis (everysec), ${seconds} s each`);
    printPatch(await measurePatch(stack, [1, 32, 128], seconds));
  }
} finally {
  await stack.dispose();
}

if (wanted("patch")) {
  const cluster = await startStack({ store: "redis", nodes: 8, args: ["--limits", limits] });
  try {
    console.log(`The same with 8 nodes, on as many processors, ${seconds} s each`);
    printPatch(await measurePatch(cluster, [32, 128], seconds));
  } finally {
    await cluster.dispose();
  }
}
await rm(dirname(limits), { recursive: true, force: true });

/** Whether a part was named, or none was. */
function wanted(part: Part): boolean {
  return named.length === 0 || named.includes(part);
}

function printPatch(figures: PatchFigures): void {
  console.log("connections  server     requests/s     p50     p99  to push-off  to lua  messages per edit");
  for (const [connections, row] of figures) {
    for (const mode of modes) {
      const { requestsPerSecond, p50, p99, statuses } = row[mode];
      const to = (other: (typeof modes)[number]) => requestsPerSecond / row[other].requestsPerSecond;
      console.log(
        `${String(connections).padStart(11)}  ${mode.padEnd(9)}${requestsPerSecond.toFixed(0).padStart(12)}` +
          `${p50.toFixed(2).padStart(8)}${p99.toFixed(2).padStart(8)}${to("push-off").toFixed(2).padStart(13)}` +
          `${to("lua").toFixed(2).padStart(8)}${(mode === "push" ? row.messagesPerEdit.toFixed(2) : "").padStart(19)}  ` +
          Object.entries(statuses)
            .map(([status, count]) => `${status}: ${count}`)
            .join(", "),
      );
    }
  }
  console.log();
}

function printTimes(name: string, times: Times, digits = 0): void {
  const at = (q: number) => quantile(times, q).toFixed(digits).padStart(6);
  console.log(`${name.padEnd(31)} median ${at(0.5)}   min ${at(0)}   p95 ${at(0.95)}`);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function rate(megabytesPerSecond: number): string {
  return `${megabytesPerSecond.toFixed(0)} MB/s`;
}
