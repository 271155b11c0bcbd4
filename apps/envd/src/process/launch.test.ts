import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import type { Log } from "../log.ts";
import { launch } from "./launch.ts";
import { PipePool } from "./pipes.ts";

const silent: Log = { info() {}, warn() {}, error() {} };

const account = {
  name: "tester",
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  groups: [],
  home: "/",
  shell: "/bin/sh",
};

const command = {
  cmd: "/bin/sh",
  args: ["-c", "cat; echo err >&2"],
  cwd: "/",
  env: { PATH: "/usr/bin:/bin" },
  account,
  stdin: true,
};

/** A system whose shell keeps here-documents in files. */
class NoPipes extends PipePool {
  override async openOutput(): Promise<undefined> {}
  override async openInput(): Promise<undefined> {}
}

describe("starting a command", () => {
  it.each([
    ["with real pipes", new PipePool(silent)],
    ["without, where the system cannot make any", new NoPipes(silent)],
  ])("connects its standard streams %s", async (_how, pipes) => {
    const { child, input, outputs } = await launch(command, pipes);
    input?.end("in");
    const texts = outputs.map(({ stream }) => text(stream));
    expect(await Promise.all([...texts, once(child, "exit")])).toEqual(["in", "err\n", [0, null]]);
    pipes.dispose();
  });

  it("gets new pipes also when the shell that makes them has been killed", async () => {
    const pipes = new PipePool(silent);
    await pipes.prepare();
    execFileSync("pkill", ["-9", "-P", String(process.pid), "-f", "while read -r _; do"]);
    for (let count = 0; count < 12; count++) {
      const pipe = await pipes.openOutput();
      expect(pipe).toBeDefined();
      pipe?.stream.destroy();
      pipe?.closeChildEnd();
    }
    pipes.dispose();
  });

  it("makes as many pipes as many commands at once need", async () => {
    const pipes = new PipePool(silent);
    const echo = { ...command, args: ["-c", "readlink /proc/self/fd/1"], stdin: false };
    const outputs = await Promise.all(
      Array.from({ length: 25 }, async () => {
        const { child, outputs } = await launch(echo, pipes);
        const [[output]] = await Promise.all([
          Promise.all(outputs.map(({ stream }) => text(stream))),
          once(child, "exit"),
        ]);
        return output;
      }),
    );
    expect(new Set(outputs).size).toBe(25);
    for (const output of outputs) expect(output).toMatch(/^pipe:/);
    pipes.dispose();
  });
});
