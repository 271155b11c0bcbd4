// Edits one sandbox's metadata as fast as it can and prints every revision once it is confirmed. Argument: the file.
import { createLogger } from "@castellan/telemetry";
import { Journal } from "../state/journal.ts";

const [, , path = ""] = process.argv;
const journal = Journal.open(path, createLogger("test", "silent"));
const first = journal.state.highestRevision + 1;
for (let revision = first; ; revision += 10) {
  const batch = Array.from({ length: 10 }, (_, index) => revision + index);
  await Promise.all(
    batch.map((one) =>
      journal.record({
        kind: "live",
        sandboxId: "i1",
        executionId: "e1",
        epoch: 1,
        metadata: { revision: one, entries: [["revision", String(one).repeat(20)]] },
      }),
    ),
  );
  process.stdout.write(`${revision + 9}\n`);
}
