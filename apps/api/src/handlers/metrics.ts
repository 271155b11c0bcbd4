import type { components } from "@castellan/contracts/openapi";
import type { MetricSample } from "@castellan/contracts/sandbox";
import { CastellanError, parseSandboxId, publicState, type SandboxRecord } from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import { nodeOf, nodeSilent } from "../nodes/asking.ts";
import { byNode } from "../nodes/by-node.ts";
import type { Services } from "../services.ts";
import { findSandbox } from "./sandbox.ts";

/** What sandboxes use, as their nodes have measured it. */
export function metricsHandlers(services: Services): Pick<SecuredHandlers, "getSandboxMetrics" | "listSandboxMetrics"> {
  const { store, directory, timing, logger } = services;
  return {
    async getSandboxMetrics({ params, query, signal }, { teamId }) {
      const { start, end } = query;
      if (start !== undefined && end !== undefined && start > end) {
        throw new CastellanError("invalid_argument", "Invalid time range for metrics");
      }
      const record = await findSandbox(store, teamId, params.sandboxID);
      // Nothing measures what does not run.
      if (publicState(record.state) === "paused") return { status: 200, body: [] };
      const node = await nodeOf(directory, record);
      const request = {
        executions: [executionOf(record)],
        ...(start === undefined ? {} : { fromS: BigInt(start) }),
        ...(end === undefined ? {} : { toS: BigInt(end) }),
      };
      const answer = await node.client.sandboxes
        .metrics(request, { timeoutMs: timing.callMs, signal })
        .catch((cause: unknown) => {
          throw nodeSilent(record.sandboxId, cause, signal);
        });
      const samples = answer.executions.find(({ sandboxId }) => sandboxId === record.sandboxId)?.samples ?? [];
      return { status: 200, body: samples.map(presentSample) };
    },

    async listSandboxMetrics({ query, signal }, { teamId }) {
      const ids = new Set(query.sandbox_ids.map(parseId));
      const found = await Promise.all(Array.from(ids, (id) => store.get(teamId, id)));
      const running = found.flatMap((record) =>
        record !== undefined && publicState(record.state) === "running" ? [record] : [],
      );
      const answers = await Promise.all(
        Array.from(byNode(running), ([nodeId, records]) => newestOn(nodeId, records, signal)),
      );
      return { status: 200, body: { sandboxes: Object.fromEntries(answers.flat()) } };
    },
  };

  /** Nothing from a node that does not answer: the others' measurements are no worse for it. */
  async function newestOn(nodeId: string, records: readonly SandboxRecord[], signal: AbortSignal) {
    try {
      const node = await directory.find(nodeId);
      if (node === undefined) return [];
      const request = { executions: records.map(executionOf), latest: true };
      const { executions } = await node.client.sandboxes.metrics(request, { timeoutMs: timing.callMs, signal });
      return executions.flatMap(({ sandboxId, samples }) =>
        samples.map((one) => [sandboxId, presentSample(one)] as const),
      );
    } catch (error) {
      logger.warn({ nodeId, sandboxes: records.length, err: error }, "a node did not tell its measurements");
      return [];
    }
  }
}

function executionOf({ sandboxId, executionId }: SandboxRecord) {
  return { sandboxId, executionId };
}

function parseId(text: string): string {
  try {
    return parseSandboxId(text);
  } catch (cause) {
    throw new CastellanError("invalid_argument", "Invalid sandbox ID", { cause });
  }
}

function presentSample(sample: MetricSample): components["schemas"]["SandboxMetric"] {
  const timeMs = Number(sample.timeMs);
  return {
    timestamp: new Date(timeMs).toISOString(),
    timestampUnix: Math.floor(timeMs / 1000),
    cpuCount: sample.cpuCount,
    cpuUsedPct: sample.cpuUsedPercent,
    memUsed: Number(sample.memoryUsedBytes),
    memTotal: Number(sample.memoryTotalBytes),
    memCache: Number(sample.memoryCacheBytes),
    diskUsed: Number(sample.diskUsedBytes),
    diskTotal: Number(sample.diskTotalBytes),
  };
}
