import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../support/stack.ts";
import { mutants } from "./mutants.ts";

test("the specification names every guard, and the tests that notice its loss", async () => {
  const text = await readFile(join(repository, "SPECIFICATION.md"), "utf8");
  const rows = text.split("\n").map((line) => line.replaceAll(/ +/g, " "));
  for (const { guard, tests } of mutants) {
    expect(rows).toContain(`| ${guard} | ${tests.map((file) => `\`${file}\``).join(", ")} |`);
  }
});
