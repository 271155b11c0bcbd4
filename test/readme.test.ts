import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canRunSandboxes, repository, type Stack, startStack } from "./support/stack.ts";

const run = promisify(execFile);

describe.runIf(canRunSandboxes)("the README", () => {
  let stack: Stack;
  let readme: string;
  beforeAll(async () => {
    readme = await readFile(join(repository, "README.md"), "utf8");
    stack = await startStack();
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  test("has a quick start that works as it stands", async () => {
    const folder = await mkdtemp(join(tmpdir(), "castellan-readme-"));
    try {
      await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
      await writeFile(join(folder, "quickstart.mjs"), codeBlock(readme, "js", "Quick start"));
      const { stdout } = await run(process.execPath, ["quickstart.mjs"], {
        cwd: folder,
        timeout: 60_000,
        env: {
          PATH: process.env["PATH"],
          E2B_API_KEY: stack.apiKey,
          E2B_API_URL: stack.apiUrl,
          E2B_SANDBOX_URL: stack.sandboxUrl,
        },
      });
      expect(stdout).toContain("step 1\n");
      expect(stdout).toContain("step 3\n");
      expect(stdout).toContain("hello from outside\n");
      expect(stdout).toMatch(/^200 \{/m);
      expect(stdout).toMatch(/^\{ (stage: 'running', owner: 'ada'|owner: 'ada', stage: 'running') \}$/m);
      expect(stdout).toMatch(/^true$/m);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("names shell commands that exist and work", async () => {
    const commands = codeBlock(readme, "sh", "Quick start").trim().split("\n");
    let id = "";
    for (const line of commands) {
      const args = line
        .replace(/ +#.*$/, "")
        .replaceAll("<id>", id)
        .split(" ");
      expect(args.slice(0, 4)).toEqual(["npm", "run", "castellan", "--"]);
      const { stdout } = await run("npm", ["run", "--silent", ...args.slice(2)], {
        cwd: repository,
        timeout: 60_000,
        env: {
          ...process.env,
          E2B_API_KEY: stack.apiKey,
          E2B_API_URL: stack.apiUrl,
          E2B_SANDBOX_URL: stack.sandboxUrl,
          CASTELLAN_DATA: stack.data,
        },
      });
      id ||= /\bi[a-z0-9]{20}\b/.exec(stdout)?.[0] ?? "";
      if (line.includes("exec")) expect(stdout).toContain("Linux");
    }
    expect(id).not.toBe("");
  });
});

/** The first code block of a language after a heading. */
function codeBlock(markdown: string, language: string, heading: string): string {
  const section = markdown.slice(markdown.indexOf(`## ${heading}`));
  const block = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section)?.[1];
  if (block === undefined) throw new Error(`No ${language} block below ${heading}`);
  return block;
}
