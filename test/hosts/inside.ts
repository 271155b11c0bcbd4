/**
 * What runs in the guest as root: a node's sandboxes on this kernel and this layout of cgroups. Prints one line of JSON
 * per finding; the last one says whether all was as it should be.
 */
import { readFileSync } from "node:fs";
import { currentCgroupLayout } from "../../packages/runtime/src/cgroup/layout.ts";
import { createSandboxRuntime, probeHost } from "../../packages/runtime/src/index.ts";
import {
  belongings,
  endNode,
  nothing,
  optionsAt,
  runInside,
  specFor,
  startNode,
} from "../../packages/runtime/src/testing/test-node.ts";

const findings: { name: string; ok: boolean }[] = [];
const began = performance.now();

function say(name: string, ok: boolean, seen: unknown): void {
  findings.push({ name, ok });
  console.log(JSON.stringify({ name, ok, seconds: Math.round((performance.now() - began) / 100) / 10, seen }));
}

const layout = currentCgroupLayout();
say("layout", layout.kind === "v2", {
  kind: layout.kind,
  release: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
});
const probed = await probeHost({ directory: "/tmp" });
say(
  "probe",
  probed.every(({ ok, severity }) => ok || severity === "advised"),
  probed.filter(({ ok }) => !ok),
);

const options = optionsAt({ devicePrefix: "v2", part: 1 });
const resources = { cpuCount: 0.5, memoryMb: 256, diskMb: 128, pids: 60 };
let node = await startNode(options);
await node.start(await specFor("a", { resources }));
const inside = async (script: string) => await runInside(node, "a", script);
say("runs", (await inside("id -u")).stdout === "0\n", await inside("cat /proc/self/cgroup"));

const busy = "end=$((SECONDS + 4)); while [ $SECONDS -lt $end ]; do :; done";
const [before, start] = [await node.usage("a"), performance.now()];
await inside(`(${busy}) & (${busy}) & wait`);
const share = ((await node.usage("a")).cpuMicros - before.cpuMicros) / 1000 / (performance.now() - start);
say("processor time", share > 0.2 && share < 0.65, { share, limit: 0.5 });

const { stderr } = await inside("for i in $(seq 100); do sleep 20 & done; wait -n");
say("processes", stderr.includes("Resource temporarily unavailable"), stderr.slice(0, 200));

const hog = await inside("exec tail /dev/zero");
say("memory", hog.code === "SIGKILL" && (await node.oomKilled("a")), { ...hog, oomKilled: await node.oomKilled("a") });
say("alive after it", (await inside("echo alive")).stdout === "alive\n", await node.usage("a"));
const disk = await inside("dd if=/dev/zero of=/fill bs=1M; df -m / | tail -1; rm /fill");
say("disk", disk.stderr.includes("No space left"), disk.stdout);

await node.close({ stopAll: false });
node = await createSandboxRuntime(options);
const taken = await node.recover();
say("taken over", taken.length === 1 && (await inside("echo here")).stdout === "here\n", taken);
const second = await node.start(await specFor("b", { resources }));
const exit = new Promise<object>((resolve) => node.onExit(resolve));
process.kill(second.pid, "SIGKILL");
say("exit is seen", true, await exit);
await Promise.all(["a", "b"].map((id) => node.stop(id)));
await endNode(node, options);
const left = await belongings(options);
say("nothing left", JSON.stringify(left) === JSON.stringify(nothing), left);
const wrong = findings.filter(({ ok }) => !ok).map(({ name }) => name);
console.log(JSON.stringify({ done: true, ok: wrong.length === 0, wrong }));
process.exit(wrong.length === 0 ? 0 : 1);
