// `npm run bench`: every figure that the README quotes, in one run. `--quick` takes a tenth of the time, for a look.
import { realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { templateDirectory } from "@castellan/template";
import { startStack, templatesDirectory } from "../support/stack.ts";
import { measureCreate, measureMemory, type Times } from "./create.ts";
import { type LoadResult, quantile } from "./load.ts";
import { measurePatch, modes } from "./patch.ts";

const quick = process.argv.includes("--quick");
const runs = quick ? 3 : 30;
const burst = quick ? 4 : 20;
const seconds = quick ? 1 : 8;

console.log(`${availableParallelism()} processors, Node ${process.versions.node}. Times in milliseconds.\n`);

const stack = await startStack({ store: "redis" });
try {
  const rootfs = await realpath(await templateDirectory(templatesDirectory).rootfs("base"));
  const create = await measureCreate(stack, rootfs, runs, burst);
  console.log(`Create to first output of a command, ${runs} in turn (burst: ${burst} at once)`);
  printTimes("Castellan, through the SDK", create.sandbox);
  if (create.podman) printTimes("podman run", create.podman);
  else console.log("podman run                     not installed");
  printTimes("runc run, no limits or network", create.runc);
  printTimes("Castellan, burst", create.burst.times);
  console.log(`burst: ${create.burst.failed} failed, all done after ${create.burst.tookMs.toFixed(0)}\n`);

  const memory = await measureMemory(stack, quick ? 2 : 10);
  console.log(`Memory of an idle sandbox, median of ${memory.sandboxes}`);
  console.log(`private ${mebibytes(memory.privateBytes)}, proportional ${mebibytes(memory.proportionalBytes)}\n`);

  console.log(`PATCH metadata over Redis (everysec), ${seconds} s each`);
  console.log("connections  server     requests/s     p50     p99  ratio to push-off");
  for (const [connections, row] of await measurePatch(stack, [1, 32, 128], seconds)) {
    for (const mode of modes) {
      const result: LoadResult = row[mode];
      const ratio = result.requestsPerSecond / row["push-off"].requestsPerSecond;
      console.log(
        `${String(connections).padStart(11)}  ${mode.padEnd(9)}${result.requestsPerSecond.toFixed(0).padStart(12)}` +
          `${result.p50.toFixed(2).padStart(8)}${result.p99.toFixed(2).padStart(8)}  ${ratio.toFixed(2)}` +
          `  ${Object.entries(result.statuses)
            .map(([status, count]) => `${status}: ${count}`)
            .join(", ")}`,
      );
    }
  }
} finally {
  await stack.dispose();
}

function printTimes(name: string, times: Times): void {
  const at = (q: number) => quantile(times, q).toFixed(0).padStart(6);
  console.log(`${name.padEnd(31)} median ${at(0.5)}   min ${at(0)}   p95 ${at(0.95)}`);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
