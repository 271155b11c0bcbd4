/**
 * Takes the guards of `guards.ts` away one by one, in a copy of the repository, and runs the attack that must notice.
 * Prints one line per guard; ends with 1 if one was not missed. Needs root; takes about half a minute per guard.
 *
 *     node --conditions=source test/isolation/without-guards.ts [part of a guard's text]
 */
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { copyOfRepository } from "../mutations/repository-copy.ts";
import { type RemovedGuard, removedGuards } from "./guards.ts";

const run = promisify(execFile);
const [part = ""] = process.argv.slice(2);
const copy = await copyOfRepository();
try {
  for (const removed of removedGuards.filter(({ guard }) => guard.includes(part))) {
    const { failed, passed } = await attackWithout(removed);
    const noticed = failed.length > 0;
    console.log(`${noticed ? "noticed " : "MISSED  "} ${removed.guard}`);
    for (const name of failed) console.log(`           by: ${name}`);
    if (!noticed) console.log(`           ${passed} passed`);
    if (!noticed) process.exitCode = 1;
  }
} finally {
  await rm(copy, { recursive: true, force: true });
}

async function attackWithout({ edits, file, attack }: RemovedGuard): Promise<{ failed: string[]; passed: number }> {
  const originals = new Map<string, string>();
  for (const { file: source, from, to } of edits) {
    const path = join(copy, source);
    const text = await readFile(path, "utf8");
    if (text.split(from).length !== 2) throw new Error(`${source} does not hold exactly once: ${from}`);
    originals.set(path, originals.get(path) ?? text);
    await writeFile(
      path,
      text.replace(from, () => to),
    );
  }
  const report = join(copy, "report.json");
  const literal = attack.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const selecting = ["run", "--project", "system", `test/isolation/${file}.test.ts`, "-t", literal];
  const reporting = ["--reporter", "json", "--outputFile", report];
  try {
    const args = [join(copy, "node_modules/vitest/vitest.mjs"), ...selecting, ...reporting];
    await run(process.execPath, args, { cwd: copy, timeout: 240_000 }).catch(() => undefined);
    const { testResults, numPassedTests } = JSON.parse(await readFile(report, "utf8"));
    const results: { status: string; title: string }[] = testResults.flatMap(
      ({ assertionResults }: { assertionResults: { status: string; title: string }[] }) => assertionResults,
    );
    const failed = results.filter(({ status }) => status === "failed").map(({ title }) => title);
    return { failed, passed: numPassedTests };
  } finally {
    await rm(report, { force: true });
    for (const [path, text] of originals) await writeFile(path, text);
  }
}
