import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";

describe("a process that survives stray goodbyes", () => {
  it("goes on after the goodbye of a connection that it had given up", async () => {
    const error = `Object.assign(new Error("[canceled] received GOAWAY without any open streams"), { name: "ConnectError" })`;
    expect(await afterThrowing(error)).toEqual({ code: 0, output: "alive\n" });
  });

  it("still ends on any other error that nobody caught, and says so", async () => {
    const { code, output } = await afterThrowing(`new Error("a real fault")`);
    expect(code).toBe(1);
    expect(output).toContain("a real fault");
    expect(output).not.toContain("alive");
  });
});

async function afterThrowing(error: string): Promise<{ code: number | null; output: string }> {
  const source = `
    import { createLogger, surviveStrayGoodbyes } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    surviveStrayGoodbyes(createLogger("test", "warn"));
    setTimeout(() => { throw ${error}; }, 10);
    setTimeout(() => console.log("alive"), 100);
  `;
  const child = spawn("node", ["--conditions=source", "--input-type=module", "--eval", source]);
  let output = "";
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    output += text.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}
