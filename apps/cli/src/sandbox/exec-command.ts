import type { CastellanClient } from "@castellan/client";
import { describeFailure, Failure } from "../failure.ts";
import { type ExecRequest, execInSandbox } from "./exec.ts";
import { execFailed } from "./exit-code.ts";
import { findTarget } from "./target.ts";

/**
 * `castellan sandbox exec`, with this process's streams and signals.
 * @returns the exit code.
 * @throws Failure with exit code 255 when the sandbox is not there, and as `execInSandbox`.
 */
export async function exec(
  client: CastellanClient,
  sandboxId: string,
  sandboxUrl: string,
  request: ExecRequest,
  withInput: boolean,
): Promise<number> {
  const target = await findTarget(client, sandboxId, sandboxUrl).catch((error: unknown) => {
    throw new Failure(describeFailure(error).text, { exitCode: execFailed, cause: error });
  });
  return await execInSandbox(target, request, {
    stdin: withInput ? process.stdin : undefined,
    stdout: process.stdout,
    stderr: process.stderr,
    onInterrupt(listener) {
      process.on("SIGINT", listener).on("SIGTERM", listener);
      return () => process.off("SIGINT", listener).off("SIGTERM", listener);
    },
  });
}
