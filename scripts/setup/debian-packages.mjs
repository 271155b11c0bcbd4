import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.mjs";
import { Failure } from "./failure.mjs";
import { root, stateDirectory, systemPath } from "./paths.mjs";
import { note, step } from "./steps.mjs";

/** One list for these scripts and for `castellan doctor`. */
const prerequisites = JSON.parse(readFileSync(join(root, "packages/template/src/prerequisites.json"), "utf8"));

/**
 * Installs the Debian packages whose programs are missing.
 * @param {"start" | "test" | "bench" | "hosts"} purpose
 */
export async function installDebianPackages(purpose, signal) {
  const missing = missingFor(purpose);
  if (missing.length > 0) {
    for (const { command, package: name, why } of missing)
      note(`Missing: ${command} (Debian package ${name}), which ${why}.`);
    const packages = [...new Set(missing.map((each) => each.package))];
    requireApt(packages);
    await step(`Installing Debian packages: ${packages.join(" ")}`, (update) => install(packages, update, signal));
    await switchOff(missing.flatMap(({ units = [] }) => units));
    const still = missingFor(purpose).map(({ command }) => command);
    if (still.length > 0)
      throw new Failure(`Installed ${packages.join(" ")}, but found no ${still.join(", ")} after it.`);
  }
  linkBinaries(purpose);
}

/** The prerequisites that this machine lacks. */
export function missingFor(purpose) {
  return prerequisites.filter(
    ({ command, binary, for: purposes }) =>
      purposes.includes(purpose) && find(command) === undefined && (binary === undefined || find(binary) === undefined),
  );
}

function find(command) {
  for (const dir of systemPath().split(":")) {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return join(dir, command);
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/** Gives a binary that goes by another name the one it is called by, in a folder of our own. */
function linkBinaries(purpose) {
  const bin = join(stateDirectory, "bin");
  for (const { command, binary, for: purposes } of prerequisites) {
    if (binary === undefined || !purposes.includes(purpose)) continue;
    const link = join(bin, command);
    rmSync(link, { force: true });
    if (find(command) !== undefined) continue;
    mkdirSync(bin, { recursive: true });
    symlinkSync(find(binary), link);
  }
}

function requireApt(packages) {
  const byHand = `apt-get update && apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (find("apt-get") === undefined) {
    throw new Failure(
      "This system has no apt-get. Install what is missing with its own package manager (the names are Debian's):",
      packages,
    );
  }
  if (process.getuid() !== 0) {
    throw new Failure("Installing Debian packages needs root. Either run this command as root, or first:", [
      `sudo sh -c '${byHand}'`,
    ]);
  }
}

async function install(packages, update, signal) {
  const args = ["install", "-y", "--no-install-recommends", ...packages];
  const wasUpdated = !hasPackageLists();
  if (wasUpdated) await updateLists(update, signal);
  let result = await apt(args, update, signal);
  if (!result.ok && /dpkg was interrupted/.test(result.output)) {
    update(undefined, "finishing what an earlier installation left undone");
    await run("dpkg", ["--configure", "-a"], { env: environment(), signal, unkillable: true });
    result = await apt(args, update, signal);
  }
  if (!result.ok && !wasUpdated && !isUnreachable(result.output)) {
    // The lists that are there may be older than the archive.
    await updateLists(update, signal);
    result = await apt(args, update, signal);
  }
  if (!result.ok) {
    throw new Failure(
      `apt-get could not install ${packages.join(" ")}:\n${complaints(result.output)}\nTo try by hand:`,
      ["apt-get update", `apt-get install --no-install-recommends ${packages.join(" ")}`],
    );
  }
}

/** The lines in which apt and dpkg complain, or everything when they complain in other words. */
function complaints(output) {
  const lines = output.split("\n").filter((line) => /^(E: |W: |dpkg: )/.test(line));
  return lines.length > 0 ? lines.join("\n") : output;
}

/** Whether apt says that it got no answer at all: then the lists would get none either. */
function isUnreachable(output) {
  return /Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|timed out/.test(output);
}

/** A list of some third party may fail to load without harm, so only the installation decides. */
async function updateLists(update, signal) {
  update(undefined, "apt-get update");
  await apt(["update"], () => undefined, signal);
}

function hasPackageLists() {
  try {
    return readdirSync("/var/lib/apt/lists").some((name) => /_Packages(\.[a-z0-9]+)?$/.test(name));
  } catch {
    return false;
  }
}

function apt(args, update, signal) {
  return run(
    "apt-get",
    [
      "-o",
      "DPkg::Lock::Timeout=300",
      "-o",
      "Dpkg::Use-Pty=0",
      "-o",
      "Dpkg::Options::=--force-confold",
      "-o",
      "Acquire::Retries=1",
      "-o",
      "Acquire::http::Timeout=20",
      "-o",
      "APT::Status-Fd=3",
      ...args,
    ],
    {
      env: environment(),
      signal,
      unkillable: true,
      // dlstatus:1:20.5:Retrieving file 1 of 5 · pmstatus:runc:40.0:Unpacking runc
      onStatus: (line) => {
        const [, kind, percent, text] = /^(dl|pm)status:[^:]*:([0-9.]+):(.*)$/.exec(line) ?? [];
        if (kind === "dl") update((Number(percent) / 100) * 0.5, text);
        if (kind === "pm") update(0.5 + (Number(percent) / 100) * 0.5, text);
      },
    },
  );
}

function environment() {
  return {
    ...process.env,
    PATH: systemPath(),
    LC_ALL: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
    APT_LISTCHANGES_FRONTEND: "none",
    // Ubuntu's needrestart would restart other people's services.
    NEEDRESTART_SUSPEND: "1",
  };
}

async function switchOff(units) {
  if (units.length === 0 || !existsSync("/run/systemd/system")) return;
  note(`Switching off what the package switched on and nobody asked for: ${units.join(" ")}.`);
  await run("systemctl", ["disable", "--now", ...units], { env: environment() });
}
