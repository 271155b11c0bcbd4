// Preloaded into the processes under test (`NODE_OPTIONS`): at SIGUSR2 it collects garbage and writes what is still held
// to a file named after the process.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.env["CASTELLAN_MEMORY_PROBE"];
if (directory !== undefined) {
  process.on("SIGUSR2", () => {
    // Twice: what a finalizer lets go of is collected by the second.
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, rss, external } = process.memoryUsage();
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
    const draft = join(directory, `.${process.pid}`);
    writeFileSync(draft, JSON.stringify({ heapUsed, rss, external, sockets }));
    renameSync(draft, join(directory, String(process.pid)));
  });
}
