import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { CastellanError } from "@castellan/domain";
import { connectLocal, sendDescriptor, socketPair } from "../host/kernel.ts";

const timeoutMs = 5000;
const longestAnswer = 64 * 1024;

/**
 * A connection to 127.0.0.1 of a gVisor sandbox: what `runsc port-forward` does, without a process for each. runsc's
 * control socket takes a JSON call with one end of a pair of local sockets, and joins that end to the port.
 * @throws `unavailable` when nothing listens, `deadline_exceeded` after 5 s, `cancelled` on abort.
 */
export async function forwardPort(
  controlSocket: string,
  executionId: string,
  port: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const control = connectLocal(controlSocket);
  const [ours, theirs] = socketPair();
  const connection = new Socket({ fd: ours, readable: true, writable: true });
  try {
    const call = { method: "containerManager.PortForward", arg: { ContainerID: executionId, Port: port } };
    const bytes = Buffer.from(JSON.stringify(call));
    const sent = sendDescriptor(control, bytes, theirs);
    // A new socket's buffer holds the hundred bytes of it.
    if (sent < bytes.length) throw new Error("runsc took a part of the call only");
  } catch (error) {
    closeSync(control);
    connection.destroy();
    throw error;
  } finally {
    closeSync(theirs);
  }
  try {
    await accepted(new Socket({ fd: control, readable: true, writable: true }), signal);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Reads the one answer and closes. */
async function accepted(control: Socket, signal: AbortSignal | undefined): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const aborted = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  try {
    const answer = await firstAnswer(control, aborted);
    if (answer.success) return;
    const cause = new Error(answer.err);
    throw new CastellanError("unavailable", "Nothing listens on the port", { cause });
  } catch (error) {
    if (signal?.aborted) throw new CastellanError("cancelled", "The connection was given up");
    if (deadline.aborted) throw new CastellanError("deadline_exceeded", "The port does not answer");
    throw error;
  } finally {
    control.destroy();
  }
}

interface Answer {
  readonly success: boolean;
  readonly err: string;
}

async function firstAnswer(control: Socket, signal: AbortSignal): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    let text = "";
    const onAbort = () => reject(new Error("given up"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    control.setEncoding("utf8");
    control.on("error", reject);
    control.on("close", () => {
      signal.removeEventListener("abort", onAbort);
      reject(new Error("runsc closed its control socket"));
    });
    control.on("data", (more: string) => {
      text += more;
      const answer = parse(text);
      if (answer !== undefined) resolve(answer);
      else if (text.length > longestAnswer) reject(new Error("runsc's answer has no end"));
    });
  });
}

/** @returns undefined while the text is incomplete. */
function parse(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    return {
      success: "success" in value && value.success === true,
      err: "err" in value && typeof value.err === "string" ? value.err : "",
    };
  } catch {
    return undefined;
  }
}
