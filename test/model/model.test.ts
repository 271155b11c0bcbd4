import { describe, expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { configurationNamed, configurations } from "./configuration.ts";
import { guards } from "./guards.ts";
import { describeReport } from "./report.ts";
import { search } from "./search.ts";

describe("no state that can be reached is wrong:", () => {
  test.each(
    configurations.filter(({ short }) => short).map((configuration) => [configuration.about, configuration] as const),
  )("%s", async (_about, configuration) => {
    await using cluster = await Cluster.open(configuration);
    const report = await search(cluster);
    expect(report.counterexample, describeReport(configuration.name, report)).toBeUndefined();
    expect(report.complete).toBe(true);
    expect(report.states).toBeGreaterThan(100);
  });
});

describe("without its guard, a wrong state is found:", () => {
  test.each(guards.map((guard) => [guard.guard, guard] as const))("%s", async (_name, guard) => {
    await using cluster = await Cluster.open(configurationNamed(guard.configuration), guard.without);
    const { counterexample } = await search(cluster);
    expect(counterexample?.violation).toMatch(guard.finds);
  });
});
