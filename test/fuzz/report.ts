import type { Report } from "./campaign.ts";
import { mebibytes } from "./memory.ts";

/** A campaign's report for people: figures first, then every finding with what repeats it. */
export function describeReport({ campaign, seed, cases, requests, seconds, findings, held }: Report): string {
  const lines = [
    `${campaign}: ${cases} cases, ${requests} requests in ${seconds.toFixed(0)} s, ${findings.length} findings`,
    ...held.map(({ name, before, after }) => {
      const heap =
        before.heapUsed === undefined ? "" : `heap ${mebibytes(before.heapUsed)} → ${mebibytes(after.heapUsed ?? 0)}, `;
      return `  ${name}: ${heap}resident ${mebibytes(before.rss)} → ${mebibytes(after.rss)}`;
    }),
    ...findings.map(
      ({ kind, count, detail, index, name, shown }) =>
        `  ${kind}, ${count} times\n    ${detail.slice(0, 600)}\n    first: ${name}\n    sent: ${shown.slice(0, 500)}\n` +
        `    again: npm run fuzz -- --only ${campaign} --seed ${seed} --from ${index} --count 1`,
    ),
  ];
  return lines.join("\n");
}
