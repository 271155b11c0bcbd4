import { CastellanError } from "@castellan/domain";
import { z } from "zod";
import { type DaemonPosition, type LogEntry, toldEntrySchema } from "../logs/entry.ts";
import { type ConnectDaemon, callDaemon } from "./call.ts";
import { logsSecret } from "./secrets.ts";

/** What a daemon has said since it was last asked. */
export interface DaemonNews {
  readonly entries: readonly LogEntry[];
  /** Lines that it no longer had. */
  readonly dropped: number;
}

const maxAnswerBytes = 1024 * 1024;
const maxEntries = 5_000;

const answerSchema = z.object({
  boot: z.string().min(1).max(64),
  dropped: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  entries: z.array(toldEntrySchema.extend({ sequence: z.number().int().min(0) })).max(maxEntries),
});

/**
 * Asks a daemon for its lines after a position. What answers may be anything: whoever is root in the sandbox can take the
 * daemon's place, so everything is bounded, and no time lies in the future.
 * @throws `not_found` when the execution is gone, `unavailable` when nothing listens, `internal` for an answer that makes
 * no sense; the signal's reason on abort.
 */
export async function readDaemonLog(
  connect: ConnectDaemon,
  secret: string,
  after: DaemonPosition | undefined,
  signal: AbortSignal,
): Promise<DaemonNews> {
  const position = after === undefined ? "" : `?boot=${encodeURIComponent(after.boot)}&after=${after.sequence}`;
  const { status, text } = await callDaemon(connect, signal, callMs, {
    method: "GET",
    path: `/logs${position}`,
    headers: { authorization: `Bearer ${logsSecret(secret)}` },
    maxAnswerBytes,
  });
  if (status !== 200)
    throw new CastellanError("internal", `The sandbox's daemon did not tell its log (status ${status})`);
  const { boot, dropped, entries } = parse(text);
  const now = Date.now();
  return {
    dropped,
    entries: entries.map(({ sequence, timeMs, ...entry }) => ({
      ...entry,
      timeMs: Math.min(timeMs, now),
      told: { boot, sequence },
    })),
  };
}

const callMs = 2_000;

function parse(text: string): z.infer<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CastellanError("internal", "The sandbox's daemon told a log that cannot be read", { cause });
  }
}
