/**
 * Compares two dereferenced OpenAPI documents: `node main.ts <before.json> <after.json>`. Prints one breaking change a
 * line and exits with 1 when there are any.
 */
import { readFileSync } from "node:fs";
import { isObject, type JsonObject } from "./json.ts";
import { findBreakingChanges } from "./openapi.ts";

const [before, after] = process.argv.slice(2);
if (before === undefined || after === undefined) throw new Error("Name the old and the new document");
const changes = findBreakingChanges(read(before), read(after));
for (const { where, what } of changes) console.log(`${where}: ${what}`);
process.exitCode = changes.length === 0 ? 0 : 1;

function read(path: string): JsonObject {
  const document: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isObject(document)) throw new Error(`${path} is not an OpenAPI document`);
  return document;
}
