import { tmpdir } from "node:os";
import type { Check } from "./check.ts";
import { gvisorChecks } from "./gvisor.ts";
import { kernelChecks } from "./kernel-features.ts";
import { programChecks } from "./programs.ts";
import { trials } from "./trials.ts";

export interface ProbeOptions {
  /** An existing directory on the disk where state and templates are, or will be. Default: the system's temporary one. */
  readonly directory?: string;
  /** The init that sandboxes get. Default `/usr/bin/tini-static`. */
  readonly init?: string;
  /** The runsc to try; nothing is said about gVisor when absent. */
  readonly gvisor?: { readonly program: string };
}

/** Asks this host for everything that a node needs, without leaving anything; takes about a second. */
export async function probeHost({
  directory = tmpdir(),
  init = "/usr/bin/tini-static",
  gvisor,
}: ProbeOptions = {}): Promise<Check[]> {
  const [asked, tried, behindGvisor] = await Promise.all([
    Promise.all([...kernelChecks(directory), ...programChecks(init)]),
    trials(directory),
    gvisor === undefined ? [] : Promise.all(gvisorChecks(gvisor.program, init, directory)),
  ]);
  return [...asked, ...tried, ...behindGvisor];
}
