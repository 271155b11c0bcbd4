// `npm run robustness -- [--seconds N] [--seed S] [--store sqlite|redis|both] [--clients N] [--real] [--no-faults]
// [--reports DIR] [--quiet]`: traffic and faults against API processes and nodes, and a judgement of every answer. The
// last line is the sum; exit code 1 unless it is clean. A seed plans the same traffic and the same faults again.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type CampaignResult, runCampaign } from "./campaign.ts";
import { describeResult, isClean, sumLine } from "./summary.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string" },
    store: { type: "string", default: "both" },
    clients: { type: "string", default: "32" },
    real: { type: "boolean", default: false },
    "no-faults": { type: "boolean", default: false },
    reports: { type: "string", default: join(tmpdir(), "castellan-robustness-reports") },
    quiet: { type: "boolean", default: false },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const stores = (["sqlite", "redis"] as const).filter((name) => values.store === "both" || values.store === name);
if (stores.length === 0) throw new Error("--store takes sqlite, redis or both");
const results: CampaignResult[] = [];
for (const store of stores) {
  const result = await runCampaign({
    store,
    seed,
    seconds: Number(values.seconds) / stores.length,
    clients: Number(values.clients),
    real: values.real,
    withFaults: !values["no-faults"],
    reports: values.reports,
    ...(values.quiet ? {} : { log: (line: string) => console.log(line) }),
  });
  console.log(`${describeResult(result)}\n`);
  results.push(result);
}
console.log(sumLine(results));
process.exit(results.every(isClean) ? 0 : 1);
