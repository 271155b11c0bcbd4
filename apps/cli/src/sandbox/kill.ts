import { ApiError, type CastellanClient } from "@castellan/client";
import { printable } from "../terminal/printable.ts";
import type { ResultSink } from "../terminal/table.ts";

/**
 * `castellan sandbox kill`: ends each, goes on after one that cannot be ended, and prints the ids of those that ended.
 * @returns the exit code: 1 when one could not be ended.
 */
export async function killSandboxes(
  { api }: CastellanClient,
  sandboxIds: readonly string[],
  streams: { readonly stdout: ResultSink; readonly stderr: ResultSink },
): Promise<number> {
  let exitCode = 0;
  for (const sandboxID of sandboxIds) {
    try {
      await api.DELETE("/sandboxes/{sandboxID}", { params: { path: { sandboxID } } });
      streams.stdout.write(`${printable(sandboxID)}\n`);
    } catch (error) {
      // Without the service the others would fail in the same way.
      if (!(error instanceof ApiError) || error.status === 0 || error.status === 401) throw error;
      streams.stderr.write(`castellan: ${printable(error.message)}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}
