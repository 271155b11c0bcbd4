import { runCommand } from "../command.ts";
import type { OnProgress } from "./progress.ts";
import { debianPackages, debianSuite, dpkgOptions } from "./recipe.ts";

/** A slow line downloads 150 MB in this time at 1 Mbit/s; nothing here takes longer without being stuck. */
const timeoutSeconds = 30 * 60;

export interface DebianOptions {
  /** The folder to fill; must not exist. */
  readonly rootfs: string;
  /** A mirror's address; Debian's own archive and security archive when absent. */
  readonly mirror?: string;
  readonly onProgress: OnProgress;
  readonly signal?: AbortSignal;
}

/**
 * Installs a minimal Debian with the recipe's packages into a new folder, owned by the ids seen inside. Needs root. The
 * work happens in a mount namespace of its own, so an interrupted build leaves files and no mounts.
 */
export async function installDebian(options: DebianOptions): Promise<void> {
  const args = [
    "--verbose",
    "--mode=root",
    "--variant=minbase",
    "--format=directory",
    "--components=main",
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    // Without the network a retry is pointless, on a bad line it is what saves the build.
    "--aptopt=Acquire::Retries 3",
    "--aptopt=Acquire::http::Timeout 30",
    `--include=${debianPackages.join(",")}`,
    debianSuite,
    options.rootfs,
    ...(options.mirror === undefined ? [] : [options.mirror]),
  ];
  await runCommand("mmdebstrap", args, {
    timeoutSeconds,
    workingOn: options.rootfs,
    onLine: progressFromOutput(options.onProgress),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Where each of mmdebstrap's phases ends on the way from 0 to 1, from their measured durations. */
const phases: readonly { readonly heading: RegExp; readonly step: string; readonly end: number }[] = [
  { heading: /running apt-get update/, step: "Reading Debian's package lists", end: 0.04 },
  { heading: /downloading packages/, step: "Downloading Debian's core", end: 0.08 },
  { heading: /extracting archives/, step: "Unpacking Debian's core", end: 0.2 },
  { heading: /installing essential/, step: "Installing Debian's core", end: 0.4 },
  { heading: /installing remaining/, step: "Installing packages", end: 0.99 },
  { heading: /cleaning/, step: "Cleaning up", end: 1 },
];

/** Turns `mmdebstrap --verbose` output into progress that never runs backwards. */
export function progressFromOutput(onProgress: OnProgress): (line: string) => void {
  let phase = -1;
  let packages = 0;
  let seen = 0;
  return (line) => {
    if (line.startsWith("I: ")) {
      const next = phases.findIndex(({ heading }, index) => index > phase && heading.test(line));
      if (next < 0) return;
      onProgress(phases[next - 1]?.end ?? 0, phases[next]?.step ?? "");
      phase = next;
      seen = 0;
      return;
    }
    const announced = /(\d+) newly installed/.exec(line);
    if (announced !== null) packages = Number(announced[1]);
    if (!/^(Get:\d+|Unpacking|Setting up) /.test(line)) return;
    const current = phases[phase];
    if (current === undefined || packages === 0) return;
    seen += 1;
    // The last phase downloads, unpacks and sets up every package, the others do one or two of these.
    const events = current.step === "Installing packages" ? 3 : current.step.startsWith("Installing") ? 2 : 1;
    const start = phases[phase - 1]?.end ?? 0;
    onProgress(start + (current.end - start) * Math.min(1, seen / (packages * events)), current.step);
  };
}
