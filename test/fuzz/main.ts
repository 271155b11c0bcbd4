// `npm run fuzz -- [--seconds N] [--seed S] [--count N] [--from INDEX] [--only NAME]`: malformed requests against a whole
// installation, for as long as it is told to. Exit code 1 when anything was found; a finding names what repeats it.
import { parseArgs } from "node:util";
import { runCampaign } from "./campaign.ts";
import { campaigns } from "./campaigns.ts";
import { describeReport } from "./report.ts";
import { startSubject } from "./subject.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    count: { type: "string" },
    from: { type: "string" },
    only: { type: "string" },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const chosen = campaigns.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) throw new Error(`--only takes one of ${campaigns.map(({ name }) => name).join(", ")}`);
const count = values.count === undefined ? undefined : Number(values.count);
const total = values.seconds === undefined ? (count === undefined ? 300 : undefined) : Number(values.seconds);

// Ctrl-C ends after the campaign's sandboxes have been cleared away; a second one at once.
let interrupted = false;
process.once("SIGINT", () => {
  interrupted = true;
});

let found = 0;
let requests = 0;
for (const campaign of chosen) {
  if (interrupted) break;
  const subject = await startSubject();
  try {
    const report = await runCampaign(campaign, subject, {
      seed,
      ...(values.from === undefined ? {} : { from: Number(values.from) }),
      ...(count === undefined ? {} : { count }),
      ...(total === undefined ? {} : { seconds: total / chosen.length }),
      isInterrupted: () => interrupted,
    });
    console.log(describeReport(report));
    found += report.findings.length;
    requests += report.requests;
  } finally {
    await subject.dispose();
  }
}
console.log(`${requests} malformed requests, ${found} findings, seed ${seed}`);
process.exitCode = found > 0 ? 1 : 0;
