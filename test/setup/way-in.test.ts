import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = join(dirname(fileURLToPath(import.meta.url)), "../..");
let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "castellan-way-in-"));
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** The scripts are plain JavaScript for older Nodes; this evaluates an expression over one of them. */
function evaluate(script: string, expression: string): unknown {
  const code = `import * as it from ${JSON.stringify(pathToFileURL(join(repository, "scripts", script)).href)};
    console.log(JSON.stringify(${expression}) ?? "null");`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

describe("set-up's look at node_modules", () => {
  const entry = (version: string, more: object = {}) => ({ version, integrity: `sha512-${version}`, ...more });

  function why(locked: object, installed: object | undefined, unfinished = false): unknown {
    mkdirSync(join(scratch, "node_modules"));
    writeFileSync(join(scratch, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...locked } }));
    if (installed !== undefined) {
      writeFileSync(join(scratch, "node_modules/.package-lock.json"), JSON.stringify({ packages: installed }));
    }
    const marker = join(scratch, "unfinished");
    if (unfinished) writeFileSync(marker, "");
    return evaluate("setup/node-packages.mjs", `it.staleness(${JSON.stringify(scratch)}, ${JSON.stringify(marker)})`);
  }

  it("leaves a tree alone that is as the lock file says", () => {
    const packages = { "node_modules/a": entry("1.0.0"), "packages/x": { version: "0.1.0" } };
    expect(why(packages, packages)).toBeNull();
  });

  it("leaves a tree alone that lacks only what is for other processors", () => {
    const other = entry("1.0.0", { optional: true, cpu: ["arm64"] });
    expect(
      why({ "node_modules/a": entry("1.0.0"), "node_modules/b": other }, { "node_modules/a": entry("1.0.0") }),
    ).toBe(null);
  });

  it.each<[string, object, object | undefined]>([
    ["nothing is installed", { "node_modules/a": entry("1.0.0") }, undefined],
    ["a package is missing", { "node_modules/a": entry("1.0.0") }, {}],
    ["a version differs", { "node_modules/a": entry("1.0.1") }, { "node_modules/a": entry("1.0.0") }],
    [
      "the same version has other content",
      { "node_modules/a": entry("1.0.0", { integrity: "sha512-b" }) },
      { "node_modules/a": entry("1.0.0") },
    ],
  ])("installs when %s", (_, locked, installed) => {
    expect(why(locked, installed)).toEqual(expect.any(String));
  });

  it("installs again when the last installation did not end", () => {
    const packages = { "node_modules/a": entry("1.0.0") };
    expect(why(packages, packages, true)).toContain("did not end");
  });
});

describe("set-up that is killed while npm installs", () => {
  /** A clone of its own with the real scripts, and a lock file that names one package beside it. */
  function layClone(): string {
    const clone = join(scratch, "clone");
    cpSync(join(repository, "scripts"), join(clone, "scripts"), { recursive: true });
    mkdirSync(join(clone, "packages/template/src"), { recursive: true });
    writeFileSync(join(clone, "packages/template/src/prerequisites.json"), "[]");
    const name = `node-linux-${process.arch}`;
    mkdirSync(join(clone, "pinned/bin"), { recursive: true });
    writeFileSync(join(clone, "pinned/package.json"), JSON.stringify({ name, version: "1.0.0" }));
    writeFileSync(join(clone, "pinned/bin/node"), "#!/bin/sh\necho v24\n", { mode: 0o755 });
    const description = { name: "clone", version: "1.0.0", dependencies: { [name]: "file:pinned" } };
    writeFileSync(join(clone, "package.json"), JSON.stringify(description));
    const locked = spawnSync("npm", ["install", "--package-lock-only", "--offline", "--no-audit"], { cwd: clone });
    expect(locked.status).toBe(0);
    return clone;
  }

  it("goes on where it was, whenever that is, and ends the npm that was left", async () => {
    const clone = layClone();
    const marker = join(clone, ".castellan/npm-ci-unfinished");
    const setUp = () =>
      spawn(process.execPath, [join(clone, "scripts/prerequisites.mjs"), "packages"], { cwd: clone, stdio: "ignore" });
    for (const delay of [0, 60, 200, 500]) {
      rmSync(join(clone, "node_modules"), { recursive: true, force: true });
      rmSync(marker, { force: true });
      const first = setUp();
      await expect
        .poll(() => existsSync(marker) || first.exitCode !== null, { timeout: 60_000, interval: 2 })
        .toBe(true);
      await new Promise((resolve) => setTimeout(resolve, delay));
      first.kill("SIGKILL");
      if (first.exitCode === null && first.signalCode === null) await once(first, "exit");
      const [code]: unknown[] = await once(setUp(), "exit");
      expect(code).toBe(0);
      expect(existsSync(marker)).toBe(false);
      expect(existsSync(join(clone, `node_modules/node-linux-${process.arch}/bin/node`))).toBe(true);
      const left = readdirSync("/proc").filter((pid) => {
        try {
          return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === clone;
        } catch {
          return false;
        }
      });
      expect(left).toEqual([]);
    }
  }, 180_000);
});

describe("the program that npm start runs", () => {
  function runInForeground(script: string) {
    const module = pathToFileURL(join(repository, "scripts/setup/foreground.mjs")).href;
    const wrapper = join(scratch, "wrapper.mjs");
    const program = join(scratch, "program.mjs");
    writeFileSync(
      wrapper,
      `import { runInForeground } from ${JSON.stringify(module)};
       process.exitCode = await runInForeground(process.execPath, [${JSON.stringify(program)}], { env: process.env });`,
    );
    writeFileSync(program, script);
    return spawn(process.execPath, [wrapper], { stdio: ["ignore", "pipe", "inherit"] });
  }

  it("hears one Ctrl-C once, although the terminal and npm both send it, and its exit code passes through", async () => {
    const wrapper = runInForeground(`
      process.on("SIGINT", () => { console.log("interrupted"); setTimeout(() => process.exit(7), 300); });
      setInterval(() => undefined, 1000);
      console.log("ready");`);
    let output = "";
    wrapper.stdout.on("data", (text: Buffer) => {
      output += text;
    });
    await expect.poll(() => output).toContain("ready");
    wrapper.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 20));
    wrapper.kill("SIGINT");
    const [code]: unknown[] = await once(wrapper, "exit");
    expect([output, code]).toEqual(["ready\ninterrupted\n", 7]);
  });

  it("is told to stop when npm start itself is killed outright", async () => {
    const marker = join(scratch, "told");
    const wrapper = runInForeground(`
      import { writeFileSync } from "node:fs";
      process.on("SIGTERM", () => { writeFileSync(${JSON.stringify(marker)}, ""); process.exit(0); });
      setInterval(() => undefined, 1000);
      console.log("ready");`);
    await once(wrapper.stdout, "data");
    wrapper.kill("SIGKILL");
    await expect.poll(() => spawnSync("test", ["-e", marker]).status, { timeout: 5000 }).toBe(0);
  });

  it("gives the exit code of a shell when a signal ended it", async () => {
    const wrapper = runInForeground(`process.kill(process.pid, "SIGTERM"); setInterval(() => undefined, 1000);`);
    const [code]: unknown[] = await once(wrapper, "exit");
    expect(code).toBe(143);
  });
});

describe("the sum of a test run", () => {
  const report = (results: readonly object[], counts: object = {}) =>
    JSON.stringify({
      numPassedTests: 0,
      numFailedTests: 0,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: results,
      ...counts,
    });
  const count = (text: string | undefined, exitCode: number) =>
    evaluate("testing/counts.mjs", `it.countTests(${JSON.stringify(text)}, ${exitCode})`);

  it("counts what passed, failed and was skipped", () => {
    const file = { status: "failed", assertionResults: [{ status: "failed" }] };
    const text = report([file], { numPassedTests: 3, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 });
    expect(count(text, 1)).toEqual({ passed: 3, failed: 1, skipped: 3 });
  });

  it("counts a file that could not be loaded as a failure", () => {
    expect(count(report([{ status: "failed", assertionResults: [] }]), 1)).toMatchObject({ failed: 1 });
  });

  it("counts a run that no test failed but that ended badly, or without a report, as a failure", () => {
    const file = { status: "passed", assertionResults: [{ status: "passed" }] };
    expect(count(report([file], { numPassedTests: 1 }), 1)).toMatchObject({ passed: 1, failed: 1 });
    expect(count(undefined, 1)).toMatchObject({ failed: 1 });
  });
});

describe("npm test", () => {
  function npmTest(...args: readonly string[]) {
    const { status, stdout } = spawnSync(process.execPath, [join(repository, "scripts/test.mjs"), ...args], {
      cwd: repository,
      encoding: "utf8",
    });
    return { status, lastLine: stdout.trimEnd().split("\n").at(-1) };
  }

  it("runs a path's tests on Node and on Deno and ends with their sum", () => {
    const { status, lastLine } = npmTest("packages/contracts/src/breaking/openapi");
    expect(lastLine).toMatch(/^[1-9]\d* passed, 0 failed$/);
    expect(status).toBe(0);
  });

  it("fails when nothing ran", () => {
    expect(npmTest("packages/contracts/no-such-test")).toEqual({ status: 1, lastLine: "0 passed, 0 failed" });
  });
});

describe("npm run check", () => {
  it("names its steps when asked for one that there is not", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(repository, "scripts/check.mjs"), "nonsense"], {
      cwd: repository,
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toContain("No such step: nonsense");
    expect(stderr).toContain("openapi-breaking");
  });
});
