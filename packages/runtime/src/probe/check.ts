/** One thing that a node needs of its host, and whether it is there. */
export interface Check {
  /** Short and stable, for machines and for the first column. */
  readonly name: string;
  readonly ok: boolean;
  /** `required`: without it no sandbox starts. `advised`: something is weaker or will fail later. */
  readonly severity: "required" | "advised";
  /** What was found, in words. */
  readonly detail: string;
  /** What to do about it; empty when `ok`. */
  readonly fix: string;
}

export type Severity = Check["severity"];

export function passed(name: string, severity: Severity, detail: string): Check {
  return { name, ok: true, severity, detail, fix: "" };
}

export function failed(name: string, severity: Severity, detail: string, fix: string): Check {
  return { name, ok: false, severity, detail, fix };
}

/** The check's outcome is whether `attempt` gets through; it returns the detail. */
export async function attempted(
  name: string,
  severity: Severity,
  fix: string,
  attempt: () => Promise<string> | string,
): Promise<Check> {
  try {
    return passed(name, severity, await attempt());
  } catch (error) {
    return failed(name, severity, reason(error), fix);
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message}${cause}`.split("\n", 1)[0]?.slice(0, 300) ?? "";
}
