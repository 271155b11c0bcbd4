import type { components } from "@castellan/contracts/openapi";
import {
  type SandboxLogEntry,
  SandboxLogLevel,
  type SandboxLogsRequest,
  type SandboxLogsResponse,
} from "@castellan/contracts/sandbox";
import { parseSandboxId, sandboxNotFound } from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import { nodeOf, nodeSilent } from "../nodes/asking.ts";
import type { KnownNode } from "../nodes/directory.ts";
import type { Services } from "../services.ts";

type Level = components["schemas"]["LogLevel"];
type Question = Pick<SandboxLogsRequest, "backward" | "limit" | "leastLevel" | "search"> &
  Partial<Pick<SandboxLogsRequest, "fromMs" | "toMs">>;

/** As the contract's defaults say. */
const defaultLimit = 1_000;
/** Nodes that are asked about a sandbox that has ended. */
const maxNodesAsked = 64;

/** What nodes and daemons say about sandboxes; the nodes keep it. */
export function logsHandlers(services: Services): Pick<SecuredHandlers, "getSandboxLogs" | "getSandboxLogsV2"> {
  const { store, directory, clock, timing, logger } = services;
  return {
    async getSandboxLogs({ params, query, signal }, { teamId }) {
      const entries = await readLogs(teamId, params.sandboxID, signal, {
        backward: false,
        limit: query.limit ?? defaultLimit,
        leastLevel: SandboxLogLevel.DEBUG,
        search: "",
        ...(query.start === undefined ? {} : { fromMs: BigInt(query.start) }),
      });
      return { status: 200, body: { logs: entries.map(presentLine), logEntries: entries.map(presentEntry) } };
    },

    async getSandboxLogsV2({ params, query, signal }, { teamId }) {
      const backward = (query.direction ?? "backward") === "backward";
      const cursor = query.cursor === undefined ? undefined : BigInt(query.cursor);
      const entries = await readLogs(teamId, params.sandboxID, signal, {
        backward,
        limit: query.limit ?? defaultLimit,
        leastLevel: levels[query.level ?? "debug"],
        search: query.search ?? "",
        ...(cursor === undefined ? {} : backward ? { toMs: cursor } : { fromMs: cursor }),
      });
      return { status: 200, body: { logs: entries.map(presentEntry) } };
    },
  };

  /** @throws `not_found`; `unavailable` when the node of a sandbox that is there does not answer. */
  async function readLogs(teamId: string, id: string, signal: AbortSignal, question: Question) {
    const sandboxId = parseSandboxId(id);
    const record = await store.get(teamId, sandboxId);
    const request = { ...question, teamId, sandboxId };
    if (record !== undefined) {
      const node = await nodeOf(directory, record);
      return (
        await ask(node, request, timing.callMs, signal).catch((cause: unknown) => {
          throw nodeSilent(sandboxId, cause, signal);
        })
      ).entries;
    }
    // It has ended, or there never was one: whichever node had it may still have what was said of it.
    const now = clock.now();
    const nodes = directory.all().filter((node) => node.record.leaseExpiresAt > now);
    const answers = await Promise.all(
      nodes.slice(0, maxNodesAsked).map((node) =>
        ask(node, request, timing.callMs, signal).catch((error: unknown) => {
          logger.debug({ nodeId: node.nodeId, sandboxId, err: error }, "a node did not say whether it has a log");
          return undefined;
        }),
      ),
    );
    const found = answers.find((answer) => answer?.found === true);
    if (found === undefined) throw sandboxNotFound(sandboxId);
    return found.entries;
  }
}

function ask(
  node: KnownNode,
  request: Question & { readonly teamId: string; readonly sandboxId: string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SandboxLogsResponse> {
  return node.client.sandboxes.logs(request, { timeoutMs, signal });
}

const levels: Readonly<Record<Level, SandboxLogLevel>> = {
  debug: SandboxLogLevel.DEBUG,
  info: SandboxLogLevel.INFO,
  warn: SandboxLogLevel.WARN,
  error: SandboxLogLevel.ERROR,
};

function presentEntry(entry: SandboxLogEntry): components["schemas"]["SandboxLogEntry"] {
  return {
    timestamp: presentTime(entry),
    level: nameOf(entry.level),
    message: entry.message,
    fields: { ...entry.fields, logger: entry.logger },
  };
}

/** As one JSON object; what the daemon calls its fields does not stand over what the line is. */
function presentLine(entry: SandboxLogEntry): components["schemas"]["SandboxLog"] {
  const line = { ...entry.fields, level: nameOf(entry.level), logger: entry.logger, message: entry.message };
  return { timestamp: presentTime(entry), line: JSON.stringify(line) };
}

function presentTime({ timeMs }: SandboxLogEntry): string {
  return new Date(Number(timeMs)).toISOString();
}

function nameOf(level: SandboxLogLevel): Level {
  switch (level) {
    case SandboxLogLevel.ERROR:
      return "error";
    case SandboxLogLevel.WARN:
      return "warn";
    case SandboxLogLevel.INFO:
      return "info";
    default:
      return "debug";
  }
}
