import type { SearchReport } from "./search.ts";

export const heading = `${"configuration".padEnd(28)}${"states".padStart(10)}${"transitions".padStart(13)}${"depth".padStart(7)}${"seconds".padStart(9)}`;

/** One line of figures, and under it the counterexample if there is one. */
export function describeReport(name: string, report: SearchReport): string {
  const { states, transitions, depth, seconds, complete, counterexample } = report;
  const figures = `${name.padEnd(28)}${String(states).padStart(10)}${String(transitions).padStart(13)}${String(depth).padStart(7)}${seconds.toFixed(1).padStart(9)}`;
  if (counterexample === undefined) return complete ? figures : `${figures}  not all: the limit of states was reached`;
  const trace = counterexample.trace.map(
    ({ label, state }, at) => `${String(at).padStart(3)}  ${label}\n      ${state}`,
  );
  return [figures, `wrong: ${counterexample.violation}`, ...trace].join("\n");
}
