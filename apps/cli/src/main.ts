/** The `castellan` command. */
import { CommanderError } from "commander";
import { describeFailure } from "./failure.ts";
import { createProgram } from "./program.ts";

// Whoever closes our output early, as `head` does, has read enough. A command that watches its output decides itself.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE" && process.stdout.listenerCount("error") === 1) process.exit(141);
});
// A terminal that is gone must not keep a shutdown from ending.
process.stderr.on("error", () => undefined);

try {
  await createProgram((code) => {
    process.exitCode = code;
  }).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode;
  } else {
    const { text, exitCode } = describeFailure(error);
    process.stderr.write(`castellan: ${text}\n`);
    process.exitCode = exitCode;
  }
}
