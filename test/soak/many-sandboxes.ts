/**
 * Many sandboxes at once on this machine: created, used, killed, and nothing left of them. Prints times, the peak of
 * memory and every failure; ends with 1 if there was one. Needs root and the base template (`npm test` builds it).
 *
 *     node --conditions=source test/soak/many-sandboxes.ts [count, 200] [at a time, 8]
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Sandbox } from "e2b";
import { request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { startStack } from "../support/stack.ts";
import { difference, hostHoldings, prefixesBelow } from "./host-holdings.ts";

const [count = 200, atATime = 8] = process.argv.slice(2).map(Number);
const failures: string[] = [];

const before = await hostHoldings();
const memoryBefore = availableMb();
let leastMemory = memoryBefore;
const sampling = setInterval(() => {
  leastMemory = Math.min(leastMemory, availableMb());
}, 250);

const stack = await startStack({ args: ["--max-sandboxes", String(count)] });
/** What the names of everything of this installation have in common with one of. */
const marks = [
  stack.data,
  ...(await prefixesBelow(stack.data)).flatMap((prefix) => [
    `${prefix}-`,
    `castellan-${prefix}`,
    `castellan_${prefix}`,
  ]),
];
try {
  const options = { ...connectionOptions(stack), timeoutMs: 3_600_000, requestTimeoutMs: 120_000 };
  const sandboxes: Sandbox[] = [];
  await phase("created", Array.from({ length: count }), async () => {
    sandboxes.push(await Sandbox.create("base", { ...options, metadata: { soak: "yes" } }));
  });

  const edit = (sandbox: Sandbox, body: object) =>
    request(stack, "PATCH", `/sandboxes/${sandbox.sandboxId}/metadata`, { body });
  await phase("used", sandboxes, async (sandbox) => {
    const { stdout } = await sandbox.commands.run("python3 -c 'print(6 * 7)'", { timeoutMs: 60_000 });
    expectSame(stdout, "42\n");
    await sandbox.files.write("notes.txt", sandbox.sandboxId);
    expectSame(await sandbox.files.read("notes.txt"), sandbox.sandboxId);
    expectSame((await edit(sandbox, { name: sandbox.sandboxId })).status, 200);
  });

  const running = new Set<string>();
  const listed = Sandbox.list({ ...options, query: { metadata: { soak: "yes" } } });
  while (listed.hasNext) for (const { sandboxId } of await listed.nextItems()) running.add(sandboxId);
  const held = difference(before, await hostHoldings());
  const sizes = Object.entries(held).map(([kind, things]) => `${kind} ${things.length}`);
  console.log(`at once      ${running.size} running; on the host: ${sizes.join(", ")}`);
  if (running.size !== count) failures.push(`${running.size} of ${count} are listed`);
  console.log(`memory       ${memoryBefore - availableMb()} MiB taken, most ${memoryBefore - leastMemory} MiB`);
  console.log(`processes    ${processes()}`);

  await phase("killed", sandboxes, async (sandbox) => {
    expectSame(await sandbox.kill(), true);
  });
} finally {
  clearInterval(sampling);
  await stack.dispose();
}
// The kernel takes some things back a moment later.
let left = difference(before, await hostHoldings());
for (let waited = 0; waited < 20 && Object.values(left).some((things) => things.length > 0); waited += 1) {
  await sleep(500);
  left = difference(before, await hostHoldings());
}
for (const [kind, things] of Object.entries(left)) {
  // Others may work on this machine too.
  const ours = things.filter((thing) => marks.some((mark) => thing.includes(mark)));
  if (ours.length > 0) failures.push(`left on the host: ${kind}: ${ours.slice(0, 5).join(", ")}`);
}
console.log(failures.length === 0 ? "failures     none, nothing left on the host" : `failures     ${failures.length}`);
for (const failure of failures.slice(0, 20)) console.log(`  ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

async function phase<T>(name: string, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const begun = performance.now();
  const times: number[] = [];
  const queue = items.map((item) => ({ item }));
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const start = performance.now();
      try {
        await work(next.item);
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  times.sort((a, b) => a - b);
  const at = (part: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(
    `${name.padEnd(12)} ${times.length} in ${seconds} s, ${atATime} at a time; each ${at(0.5)} ms, p95 ${at(0.95)}, most ${at(1)}`,
  );
}

function expectSame(got: unknown, want: unknown): void {
  if (got !== want) throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(want)}`);
}

function availableMb(): number {
  return Math.round(Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 1024);
}

function processes(): string {
  return `${readFileSync("/proc/loadavg", "utf8").split(/[ /]/)[4]} tasks on the host`;
}
