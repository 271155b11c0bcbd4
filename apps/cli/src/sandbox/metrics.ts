import type { CastellanClient } from "@castellan/client";
import type { components } from "@castellan/contracts/openapi";
import type { ResultSink } from "../terminal/table.ts";
import { follow } from "./following.ts";

type Metric = components["schemas"]["SandboxMetric"];

/** `castellan sandbox metrics`: what a sandbox used over time, oldest first, a line per measurement. */
export async function showMetrics(
  client: CastellanClient,
  sandboxId: string,
  options: {
    readonly follow: boolean;
    readonly json: boolean;
    readonly sink: ResultSink;
    readonly everyMs?: number;
  },
): Promise<void> {
  let shown = "";
  const show = async () => {
    // Whole seconds: what was measured in the last shown one comes again.
    const query = shown === "" ? {} : { start: Math.floor(Date.parse(shown) / 1000) };
    const params = { path: { sandboxID: sandboxId }, query };
    const { data = [] } = await client.api.GET("/sandboxes/{sandboxID}/metrics", { params });
    for (const metric of data) {
      if (metric.timestamp <= shown) continue;
      options.sink.write(`${options.json ? JSON.stringify(metric) : textOf(metric)}\n`);
      shown = metric.timestamp;
    }
  };
  await follow(client, sandboxId, show, options);
}

function textOf(metric: Metric): string {
  const { timestamp, cpuUsedPct, cpuCount, memUsed, memTotal, memCache, diskUsed, diskTotal } = metric;
  const cpu = `cpu ${cpuUsedPct.toFixed(2)} % of ${cpuCount}`;
  const memory = `memory ${mib(memUsed)} of ${mib(memTotal)} MiB (and ${mib(memCache)} cached)`;
  return `${timestamp}  ${cpu}  ${memory}  disk ${mib(diskUsed)} of ${mib(diskTotal)} MiB`;
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
