// `npm run model -- [--config NAME] [--max-states N]`: searches the model's states and prints how many there are. Exit
// code 1 when a state is wrong, with the shortest way there.
import { parseArgs } from "node:util";
import { Cluster } from "./cluster.ts";
import { configurations } from "./configuration.ts";
import { describeReport, heading } from "./report.ts";
import { search } from "./search.ts";

const { values } = parseArgs({
  options: { config: { type: "string", multiple: true }, "max-states": { type: "string" }, list: { type: "boolean" } },
});
const names = configurations.map(({ name }) => name);
for (const name of values.config ?? []) {
  if (!names.includes(name)) throw new Error(`--config takes one of: ${names.join(", ")}`);
}
const chosen = configurations.filter(({ name }) => values.config === undefined || values.config.includes(name));
if (values.list === true) {
  for (const { name, about } of chosen) console.log(`${name.padEnd(28)}${about}`);
} else {
  console.log(heading);
  for (const configuration of chosen) {
    await using cluster = await Cluster.open(configuration);
    const report = await search(cluster, {
      ...(values["max-states"] === undefined ? {} : { maxStates: Number(values["max-states"]) }),
      onProgress: (states, depth) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${configuration.name}: ${states} states, depth ${depth} `);
      },
    });
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    console.log(describeReport(configuration.name, report));
    if (report.counterexample !== undefined) process.exitCode = 1;
  }
}
