import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dataDirectoryAt } from "../up/data-directory.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Clocks may differ by this much without anything being wrong, in milliseconds. */
const toleranceMs = 60_000;

/**
 * Whether the clock is behind what it has shown before: revisions, end times and certificates go by it. Nobody is asked
 * over the network; what was written last in the installation is a witness enough.
 * @param now milliseconds since 1970, the machine's clock by default.
 */
export async function examineClock(dataDirectory: string, now = Date.now()): Promise<Finding> {
  const { database, runningFile, path } = dataDirectoryAt(dataDirectory);
  const witnesses = [
    fileURLToPath(new URL("../../package.json", import.meta.url)),
    database,
    runningFile,
    join(path, "templates/base/template.json"),
  ];
  const times = await Promise.all(witnesses.map(async (file) => ({ file, time: await writtenAt(file) })));
  const latest = times.reduce((best, each) => (each.time > best.time ? each : best));
  const shown = new Date(now).toISOString().slice(0, 19);
  if (latest.time > now + toleranceMs) {
    const when = new Date(latest.time).toISOString().slice(0, 19);
    return warning(
      "clock",
      `${shown} UTC, but ${latest.file} was written at ${when}`,
      "set the clock, or run an NTP client",
    );
  }
  return ok("clock", `${shown} UTC`);
}

async function writtenAt(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
}
