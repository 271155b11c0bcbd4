import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canRunSandboxes } from "../support/stack.ts";
import { runCampaign } from "./campaign.ts";
import { campaigns } from "./campaigns.ts";
import { diceOf } from "./dice.ts";
import { describeReport } from "./report.ts";
import { type Subject, startSubject } from "./subject.ts";

/** Other cases each day; a failure names the seed that repeats it. */
const seed = Number(process.env["CASTELLAN_FUZZ_SEED"] ?? Math.floor(Date.now() / 86_400_000));

describe.skipIf(!canRunSandboxes)("malformed requests", () => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await startSubject();
  });
  afterAll(() => subject.dispose());

  test.each(campaigns)(
    "leave everything in order: $name",
    async (campaign) => {
      const report = await runCampaign(campaign, subject, { seed, count: 1_000, seconds: 40 });
      expect(report.findings, describeReport(report)).toEqual([]);
      expect(report.requests).toBeGreaterThan(300);
    },
    150_000,
  );
});

test("a case is the same again from its seed and index", () => {
  const play = (index: number) => {
    const dice = diceOf(7, index);
    return [dice.int(0, 1_000_000), dice.text(), dice.json(), dice.bytes(50).toString("hex")];
  };
  expect(play(5)).toEqual(play(5));
  expect(play(5)).not.toEqual(play(6));
});
