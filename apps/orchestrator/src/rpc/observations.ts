import { create } from "@bufbuild/protobuf";
import {
  ExecutionMetricsSchema,
  MetricSampleSchema,
  SandboxLogEntrySchema,
  SandboxLogLevel,
  type SandboxService,
} from "@castellan/contracts/sandbox";
import { CastellanError } from "@castellan/domain";
import type { ServiceImpl } from "@connectrpc/connect";
import type { LogEntry, LogLevel } from "../logs/entry.ts";
import type { LogBook } from "../logs/log-book.ts";
import type { MetricSample } from "../metrics/history.ts";
import type { Sampler } from "../metrics/sampler.ts";
import type { NodeSandboxes } from "../sandboxes/node-sandboxes.ts";

export interface ObservationParts {
  readonly sandboxes: NodeSandboxes;
  readonly sampler: Sampler;
  readonly logs: LogBook;
}

const maxExecutions = 1_000;
const maxLines = 10_000;

/** What the node has measured and written down. */
export function observations(parts: ObservationParts): Pick<ServiceImpl<typeof SandboxService>, "metrics" | "logs"> {
  const { sandboxes, sampler, logs } = parts;
  return {
    metrics(request) {
      if (request.executions.length > maxExecutions) throw tooMany("executions", maxExecutions);
      const from = Number(request.fromS ?? 0n) * 1000;
      const to = request.toS === undefined ? Number.POSITIVE_INFINITY : Number(request.toS) * 1000 + 999;
      return {
        executions: request.executions.flatMap(({ sandboxId, executionId }) => {
          const execution = sandboxes.reachable(sandboxId, executionId);
          const history = sampler.history(executionId);
          if (execution === undefined || history === undefined) return [];
          const { latest } = history;
          const samples = request.latest ? (latest === undefined ? [] : [latest]) : history.between(from, to);
          const cpuCount = execution.manifest.resources?.cpuCount ?? 1;
          return [
            create(ExecutionMetricsSchema, {
              sandboxId,
              samples: samples.map((sample) => sampleMessage(sample, cpuCount)),
            }),
          ];
        }),
      };
    },

    async logs(request) {
      if (request.limit > maxLines) throw tooMany("lines", maxLines);
      const entries = await logs.read({
        sandboxId: request.sandboxId,
        teamId: request.teamId,
        fromMs: Number(request.fromMs ?? 0n),
        toMs: request.toMs === undefined ? Number.POSITIVE_INFINITY : Number(request.toMs),
        order: request.backward ? "backward" : "forward",
        limit: request.limit,
        leastLevel: levelNames[request.leastLevel] ?? "debug",
        search: request.search,
      });
      return { found: entries !== undefined, entries: entries?.map(entryMessage) ?? [] };
    },
  };
}

const levelNames: Readonly<Record<SandboxLogLevel, LogLevel>> = {
  [SandboxLogLevel.UNSPECIFIED]: "debug",
  [SandboxLogLevel.DEBUG]: "debug",
  [SandboxLogLevel.INFO]: "info",
  [SandboxLogLevel.WARN]: "warn",
  [SandboxLogLevel.ERROR]: "error",
};

const levels: Readonly<Record<LogLevel, SandboxLogLevel>> = {
  debug: SandboxLogLevel.DEBUG,
  info: SandboxLogLevel.INFO,
  warn: SandboxLogLevel.WARN,
  error: SandboxLogLevel.ERROR,
};

function sampleMessage(sample: MetricSample, cpuCount: number) {
  return create(MetricSampleSchema, {
    timeMs: BigInt(Math.floor(sample.timeMs)),
    cpuUsedPercent: sample.cpuUsedPercent,
    cpuCount,
    memoryUsedBytes: BigInt(sample.memoryUsedBytes),
    memoryTotalBytes: BigInt(sample.memoryTotalBytes),
    memoryCacheBytes: BigInt(sample.memoryCacheBytes),
    diskUsedBytes: BigInt(sample.diskUsedBytes),
    diskTotalBytes: BigInt(sample.diskTotalBytes),
  });
}

function entryMessage({ timeMs, level, logger, message, fields }: LogEntry) {
  return create(SandboxLogEntrySchema, {
    timeMs: BigInt(timeMs),
    level: levels[level],
    logger,
    message,
    fields: { ...fields },
  });
}

function tooMany(what: string, most: number): CastellanError {
  return new CastellanError("invalid_argument", `At most ${most} ${what} at once`);
}
