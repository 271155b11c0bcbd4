import type { CampaignResult } from "./campaign.ts";

/** Whether nothing went wrong. */
export function isClean({ lost, diverged, illegal, undecided, unexplained }: CampaignResult): boolean {
  return lost + diverged + illegal + undecided + unexplained.length === 0;
}

/** For people, the sum last. */
export function describeResult(result: CampaignResult): string {
  const faults = [...result.faults].map(([kind, count]) => `${count} × ${kind}`).sort();
  return [
    `${result.store}: ${result.sandboxes} sandboxes judged, the longest in ${result.longestCheckMs.toFixed(0)} ms; ${result.accepted} edits answered with 202`,
    `Faults: ${faults.join("; ") || "none"}`,
    ...result.unexplained.slice(0, 20).map((text) => `Unexplained: ${text}`),
    ...result.reports.map((path) => `Report: ${path}`),
    sumLine([result]),
  ].join("\n");
}

/** `acked=… unknown=… lost=… diverged=…` and the rest of the sum of some campaigns, in one line. */
export function sumLine(results: readonly CampaignResult[]): string {
  const sum = (of: (result: CampaignResult) => number) => results.reduce((total, result) => total + of(result), 0);
  const faults = sum((result) => [...result.faults.values()].reduce((total, count) => total + count, 0));
  const acked = sum((result) => result.acked);
  return [
    `acked=${acked}`,
    `unknown=${sum((result) => result.unknown)}`,
    `lost=${sum((result) => result.lost)}`,
    `diverged=${sum((result) => result.diverged)}`,
    `illegal=${sum((result) => result.illegal)}`,
    `undecided=${sum((result) => result.undecided)}`,
    `edits/s=${(acked / sum((result) => result.seconds)).toFixed(0)}`,
    `faults=${faults}`,
    `5xx-outside-faults=${sum((result) => result.unexplained.length)}`,
    `seed=${results[0]?.seed}`,
  ].join(" ");
}
