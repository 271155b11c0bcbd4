import { createSandboxRuntime } from "../index.ts";
import { optionsAt, runInside, specFor, testRunsc } from "./test-node.ts";

/**
 * A node process for tests that kill it. Arguments: prefix, part, isolation, and the executions that it starts one after
 * another and says so, then waits.
 */
const [devicePrefix = "", part = "0", isolation, ...ids] = process.argv.slice(2);
const runtime = await createSandboxRuntime(
  optionsAt(
    { devicePrefix, part: Number(part) },
    { isolations: [isolation === "gvisor" ? "gvisor" : "runc"], runsc: testRunsc },
  ),
);
const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

say({ recovered: (await runtime.recover()).map(({ executionId }) => executionId) });
for (const id of ids) {
  await runtime.start(await specFor(id));
  say({ started: id });
  if (id.startsWith("stop")) {
    await runInside(runtime, id, "true");
    say({ stopping: id });
    await runtime.stop(id);
    say({ stopped: id });
  }
}
setInterval(() => {}, 1000);
