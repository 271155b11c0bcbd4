/** What stands between a sandbox and the host's kernel. `runc`: namespaces and filters; `gvisor`: a kernel of its own. */
export type Isolation = "runc" | "gvisor";

export const isolations: readonly Isolation[] = ["runc", "gvisor"];

export function isIsolation(value: unknown): value is Isolation {
  return isolations.some((isolation) => isolation === value);
}
