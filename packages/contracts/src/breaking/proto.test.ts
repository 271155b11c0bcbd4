import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../../../..", import.meta.url));
const sandbox = "orchestrator/v1/sandbox.proto";
let baseline: string;
let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "castellan-proto-"));
  baseline = join(scratch, "baseline.binpb");
  const { status, output } = buf(repository, "build", "-o", baseline);
  expect([status, output]).toEqual([0, ""]);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function buf(cwd: string, ...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(join(repository, "node_modules/.bin/buf"), args, {
    cwd,
    encoding: "utf8",
  });
  return { status, output: `${stdout}${stderr}` };
}

/** What the check says about the contracts with this change in one file. */
function afterChanging(pattern: RegExp, replacement: string) {
  const copy = mkdtempSync(join(scratch, "copy-"));
  mkdirSync(join(copy, "packages/contracts"), { recursive: true });
  cpSync(join(repository, "buf.yaml"), join(copy, "buf.yaml"));
  cpSync(join(repository, "packages/contracts/proto"), join(copy, "packages/contracts/proto"), { recursive: true });
  const file = join(copy, "packages/contracts/proto", sandbox);
  const before = readFileSync(file, "utf8");
  const after = before.replace(pattern, replacement);
  expect(after).not.toBe(before);
  writeFileSync(file, after);
  return buf(copy, "breaking", "--against", baseline);
}

describe("the check of the protobuf contracts against a baseline", () => {
  it.each<[string, RegExp, string, string]>([
    ["a field's number changes", /(string template_id = )5;/, "$199;", "template_id"],
    ["a field's type changes", /string (template_id = 5;)/, "bytes $1", "template_id"],
    ["a field goes", /string template_id = 5;/, "", "template_id"],
    ["a call goes", /rpc Delete\(.*\n?.*;/, "", "Delete"],
  ])("fails when %s", (_, pattern, replacement, named) => {
    const { status, output } = afterChanging(pattern, replacement);
    expect(status).toBe(100);
    expect(output).toContain(named);
  });

  it("passes when a field is added", () => {
    expect(afterChanging(/(string template_id = 5;)/, "$1 string colour = 1234;")).toEqual({ status: 0, output: "" });
  });

  it("passes when a comment changes", () => {
    expect(afterChanging(/^syntax/, "// Reworded.\nsyntax")).toEqual({ status: 0, output: "" });
  });
});
