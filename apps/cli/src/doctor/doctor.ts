import type { UpSettings } from "../settings.ts";
import { printable } from "../terminal/printable.ts";
import { printJson, printTable, type ResultSink } from "../terminal/table.ts";
import { examineClock } from "./clock.ts";
import type { Finding } from "./finding.ts";
import { examineHost, examineTemplates, examineWithoutRoot } from "./host.ts";
import { examineInstallation, examinePorts, examineStore, examineVersions } from "./installation.ts";

/**
 * `castellan doctor`: looks at everything that `up` needs and says of each what was found and how to mend it. Changes
 * nothing.
 * @returns the exit code: 0 if `up` can work.
 */
export async function doctor(
  settings: UpSettings,
  output: { readonly json: boolean; readonly sink: ResultSink },
): Promise<number> {
  const findings = await examine(settings);
  const works = findings.every(({ status }) => status !== "problem");
  if (output.json) printJson(output.sink, { ok: works, findings });
  else if (output.sink.isTTY === true) printForPeople(output.sink, findings, works);
  else
    printTable(
      output.sink,
      [],
      findings.map(({ status, name, detail, fix }) => [status, name, detail, fix ?? ""]),
    );
  return works ? 0 : 1;
}

/** The findings in the order in which a person would ask. */
export async function examine(settings: UpSettings): Promise<readonly Finding[]> {
  const { holder, findings } = await examineInstallation(settings);
  const groups = await Promise.all([
    examineVersions(),
    findings,
    examineHost(settings),
    examineTemplates(settings.dataDirectory),
    examineStore(settings, holder),
    examinePorts(settings, holder),
    examineClock(settings.dataDirectory),
    limits,
    examineWithoutRoot(),
  ]);
  return groups.flat();
}

/** What no machine can do with this version. */
const limits: readonly Finding[] = [
  {
    name: "pause",
    status: "note",
    detail: "pause keeps nothing yet: pausing, with memory or without, snapshots and forks are not built",
  },
];

function printForPeople(sink: ResultSink, findings: readonly Finding[], works: boolean): void {
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { status, name, detail, fix } of findings) {
    sink.write(`${marks[status]} ${name.padEnd(width)}  ${printable(detail)}\n`);
    if (fix !== undefined) sink.write(`  ${" ".repeat(width)}  fix: ${printable(fix)}\n`);
  }
  sink.write(
    works ? "\n`castellan up` can work.\n" : "\n`castellan up` cannot work yet: mend what is marked with ✗.\n",
  );
}

const marks: Readonly<Record<Finding["status"], string>> = { ok: "✓", note: "·", warning: "!", problem: "✗" };
