import process from "node:process";
import { newOperationId } from "@castellan/domain";
import { openSqliteStore } from "../sqlite/sqlite-store.ts";

/** A process to kill: edits a sandbox over and over, and prints "key n" for each edit that was acknowledged. */
const [path = "", teamId = "", sandboxId = "", executionId = ""] = process.argv.slice(2);
const quiet = () => undefined;
const store = await openSqliteStore(path, { logger: { debug: quiet, info: quiet, warn: quiet, error: quiet } });
const epoch = await store.epoch();
await store.verify(epoch, [{ teamId, sandboxId, executionId, ownNode: "reported", fully: true }]);
await Promise.all(
  Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 1; ; n += 1) {
      const delta = new Map([[`writer-${writer}`, String(n)]]);
      await store.editMetadata({ teamId, sandboxId, delta, epoch, operationId: newOperationId(), apiKeyId: "key" });
      process.stdout.write(`writer-${writer} ${n}\n`);
    }
  }),
);
