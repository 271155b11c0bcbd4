import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

/** What a process writes to standard error that logs `fields`, the source of an object. */
function logged(fields: string): Record<string, unknown> {
  const source = `
    import { createLogger } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    createLogger("test", "info").info(${fields}, "what happened");
  `;
  const { stderr } = spawnSync("node", ["--conditions=source", "--input-type=module", "--eval", source]);
  const line = stderr
    .toString()
    .split("\n")
    .find((text) => text.startsWith("{"));
  return JSON.parse(line ?? "{}");
}

describe("a log line", () => {
  it("says of an error its type, code, message, stack and causes, and nothing that a library hung on it", () => {
    const refusal = `Object.assign(new Error("WRONGPASS"), { name: "ReplyError", command: { name: "auth", args: ["hunter2"] } })`;
    const line = logged(
      `{ err: Object.assign(new Error("no store", { cause: ${refusal} }), { code: "unavailable" }) }`,
    );
    expect(line).toMatchObject({
      service: "test",
      msg: "what happened",
      err: {
        type: "Error",
        code: "unavailable",
        message: "no store",
        stack: expect.stringContaining("no store"),
        cause: { type: "ReplyError", message: "WRONGPASS" },
      },
    });
    expect(JSON.stringify(line)).not.toContain("hunter2");
  });

  it("ends with an error that is its own cause", () => {
    const line = logged(`{ err: (() => { const error = new Error("round"); error.cause = error; return error; })() }`);
    expect(line).toMatchObject({ err: { message: "round" } });
  });

  it.each(["token", "apiKey", "envVars"])("never says what %s is, wherever it stands", (name) => {
    const line = JSON.stringify(logged(`{ ${name}: "hunter2", a: { ${name}: "hunter2", b: { ${name}: "hunter2" } } }`));
    expect(line).toContain("[secret]");
    expect(line).not.toContain("hunter2");
  });
});
