/** One thing that was looked at. */
export interface Finding {
  /** Short and stable. */
  readonly name: string;
  /**
   * `ok`; `note`: something to know, nothing to mend; `warning`: something is weaker or may fail later; `problem`: `up`
   * cannot work.
   */
  readonly status: "ok" | "note" | "warning" | "problem";
  /** What was found, in words. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}

export function ok(name: string, detail: string): Finding {
  return { name, status: "ok", detail };
}

export function note(name: string, detail: string): Finding {
  return { name, status: "note", detail };
}

export function warning(name: string, detail: string, fix: string): Finding {
  return { name, status: "warning", detail, fix };
}

export function problem(name: string, detail: string, fix: string): Finding {
  return { name, status: "problem", detail, fix };
}
