/** What stands between a sandbox and the host's kernel. `runc`: namespaces and filters; `gvisor`: a kernel of its own. */
export const isolations = ["runc", "gvisor"] as const;

export type Isolation = (typeof isolations)[number];

export function isIsolation(value: unknown): value is Isolation {
  return isolations.some((isolation) => isolation === value);
}
