import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AnswerReader, type WireAnswer } from "./answer-reader.ts";

/** One thing that is done with a connection: bytes to send, a pause, the end of sending, or a reset. */
export type Step = Uint8Array | { readonly waitMs: number } | "end" | "reset";

export interface ExchangeOptions {
  /** Answers to wait for. Default 1; 0: as many as come until the connection ends or `giveUpMs` have passed. */
  readonly answers?: number;
  /** Whether the answers have no bodies, as those to HEAD. */
  readonly bodiless?: boolean;
  /** Milliseconds from the start until the peer counts as hanging. Default 15,000. */
  readonly deadlineMs?: number;
  /** Milliseconds after the last step in which nothing needs to happen; then the client goes away. Default: never. */
  readonly giveUpMs?: number;
}

export interface Outcome {
  readonly answers: readonly WireAnswer[];
  /** `late`: neither an answer nor an end within the deadline. */
  readonly ending: "answered" | "closed" | "reset" | "gave up" | "late";
  /** What came that is no HTTP answer. */
  readonly garbage: Buffer;
  readonly tookMs: number;
}

/** Plays the steps over one plain connection to `port` on loopback and reads what comes back. Never throws. */
export async function exchange(
  port: number,
  steps: readonly Step[],
  { answers = 1, bodiless = false, deadlineMs = 15_000, giveUpMs }: ExchangeOptions = {},
): Promise<Outcome> {
  const started = performance.now();
  const reader = new AnswerReader(bodiless);
  const { promise, resolve } = Promise.withResolvers<Outcome["ending"]>();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  socket.on("data", (bytes: Buffer) => {
    reader.take(bytes);
    if (answers > 0 && reader.answers.length >= answers) resolve("answered");
  });
  socket.once("end", () => {
    reader.end();
    resolve(reader.answers.length > 0 ? "answered" : "closed");
  });
  socket.on("error", () => resolve("reset"));
  socket.once("close", () => resolve("closed"));
  const deadline = setTimeout(() => resolve("late"), deadlineMs);
  const over = new AbortController();
  void play(socket, steps, over.signal).then(() => {
    if (giveUpMs === undefined || over.signal.aborted) return;
    const timer = setTimeout(() => resolve("gave up"), giveUpMs);
    over.signal.addEventListener("abort", () => clearTimeout(timer));
  });
  const ending = await promise;
  clearTimeout(deadline);
  over.abort();
  socket.destroy();
  return { answers: reader.answers, ending, garbage: reader.garbage, tookMs: performance.now() - started };
}

async function play(socket: Socket, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  for (const step of steps) {
    if (signal.aborted || socket.destroyed) return;
    if (step === "end") socket.end();
    else if (step === "reset") socket.resetAndDestroy();
    else if (step instanceof Uint8Array) await write(socket, step, signal);
    else await sleep(step.waitMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Waits for room, so that a flood is as large as the peer lets it be and not as large as this process's memory. */
function write(socket: Socket, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (socket.write(bytes)) return resolve();
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
