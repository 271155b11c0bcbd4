import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canRunSandboxes } from "../support/stack.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { copyOfRepository } from "./repository-copy.ts";

const run = promisify(execFile);

describe("without its guard, the tests fail:", () => {
  let copy: string;
  beforeAll(async () => {
    copy = await copyOfRepository();
  });
  afterAll(async () => {
    await rm(copy, { recursive: true, force: true });
  });

  const here = mutants.filter(({ project }) => project === "unit" || canRunSandboxes);
  test.each(here.map((mutant) => [mutant.guard, mutant] as const))("%s", async (_guard, mutant) => {
    const failed = await failuresUnder(copy, mutant);
    expect(failed).toBeGreaterThan(0);
  });
});

/** Failed tests in the copy with the mutant's edits, which are taken back. */
async function failuresUnder(copy: string, { edits, tests, project }: Mutant): Promise<number> {
  const originals = new Map<string, string>();
  for (const { file, from, to } of edits) {
    const text = await readFile(join(copy, file), "utf8");
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold exactly once: ${from}`);
    originals.set(file, originals.get(file) ?? text);
    await writeFile(
      join(copy, file),
      text.replace(from, () => to),
    );
  }
  const report = join(copy, "report.json");
  const args = [join(copy, "node_modules/vitest/vitest.mjs"), "run", "--project", project, "--bail", "1"];
  try {
    const reporting = ["--reporter", "json", "--outputFile", report, "--hookTimeout", "60000"];
    await run(process.execPath, [...args, ...reporting, ...tests], { cwd: copy, timeout: 110_000 }).catch(
      () => undefined,
    );
    const { numTotalTests, numFailedTests } = JSON.parse(await readFile(report, "utf8"));
    // A file that does not even load proves nothing.
    expect(numTotalTests).toBeGreaterThan(0);
    return numFailedTests;
  } finally {
    await rm(report, { force: true });
    for (const [file, text] of originals) await writeFile(join(copy, file), text);
  }
}
