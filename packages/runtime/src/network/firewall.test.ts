import { setTimeout as sleep } from "node:timers/promises";
import { CastellanError } from "@castellan/domain";
import { describe, expect, it } from "vitest";
import type { RunCommand } from "../host/command.ts";
import { Firewall } from "./firewall.ts";

/** Stands for nft: refuses a transaction that holds `bad`. */
function recordingNft() {
  const transactions: string[] = [];
  const run: RunCommand = async (_program, _args, { input = "" } = {}) => {
    transactions.push(input);
    await sleep(2);
    if (input.includes("bad")) throw new CastellanError("internal", "nft failed");
    return "";
  };
  return { transactions, run };
}

describe("the firewall", () => {
  it("applies what gathers meanwhile as one transaction, in order", async () => {
    const { transactions, run } = recordingNft();
    const firewall = new Firewall(run);
    await Promise.all(["a\n", "b\n", "c\n", "d\n"].map((script) => firewall.apply(script)));
    expect(transactions).toEqual(["a\n", "b\nc\nd\n"]);
    await firewall.apply("e\n");
    expect(transactions.at(-1)).toBe("e\n");
  });

  it("lets a bad script fail alone", async () => {
    const { run } = recordingNft();
    const firewall = new Firewall(run);
    const outcomes = await Promise.allSettled(["a\n", "b\n", "bad\n", "c\n"].map((script) => firewall.apply(script)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    await expect(firewall.apply("bad\n")).rejects.toMatchObject({ code: "internal" });
    await firewall.apply("after\n");
  });
});
