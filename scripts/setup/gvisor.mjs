import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.mjs";
import { Failure } from "./failure.mjs";
import { gvisorDirectory, systemPath } from "./paths.mjs";
import { step } from "./steps.mjs";

/**
 * The runsc that was tested, as Debian's backports to version 12 have it: a static program, the same on every Linux.
 * Debian 12's own is from 2022, without systrap and port forwarding.
 */
const debianVersion = "0.0~20240729.0-4~bpo12+2";
const runscVersion = "0.0~20240729.0";
const sha256 = {
  x64: "afdde883e3876ea807e19c708d4432674a20cb10186a7a5b554d62f38ea8de46",
  arm64: "b984477f968f9dfe15564d19f6654863327e01244935526d8eecd1741a0bd49d",
};

/**
 * Puts gVisor's runsc into the clone's own directory, without touching the system's packages or lists. One that
 * `CASTELLAN_RUNSC` names is left to the user.
 * @param {AbortSignal} [signal]
 * @param {string} [directory]
 */
export async function installGvisor(signal, directory = gvisorDirectory) {
  if (process.env["CASTELLAN_RUNSC"]) return;
  if (present(join(directory, "runsc"))) return;
  await step(`Fetching gVisor (runsc ${runscVersion}, 7 MB)`, () => fetchRunsc(directory, signal));
}

function present(program) {
  try {
    return execFileSync(program, ["--version"], { encoding: "utf8" }).includes(runscVersion);
  } catch {
    return false;
  }
}

async function fetchRunsc(directory, signal) {
  const expected = sha256[process.arch];
  if (expected === undefined) throw new Failure(`There is no gVisor for ${process.arch}.`);
  mkdirSync(directory, { recursive: true });
  const scratch = mkdtempSync(join(directory, ".fetching-"));
  try {
    const env = { ...process.env, PATH: systemPath(), LC_ALL: "C.UTF-8" };
    const apt = (args) => run("apt-get", [...ownLists(scratch), ...args], { cwd: scratch, env, signal });
    const updated = await apt(["update"]);
    const fetched = updated.ok ? await apt(["download", `runsc=${debianVersion}`]) : updated;
    const name = readdirSync(scratch).find((file) => file.endsWith(".deb"));
    if (!fetched.ok || name === undefined) throw unavailable(fetched.output);
    const found = createHash("sha256")
      .update(readFileSync(join(scratch, name)))
      .digest("hex");
    if (found !== expected) {
      throw new Failure(`The runsc that was fetched is not the one that was tested: SHA-256 ${found}.`, byHand);
    }
    const unpacked = await run("dpkg-deb", ["--extract", name, "unpacked"], { cwd: scratch, env, signal });
    if (!unpacked.ok) throw new Failure(`runsc could not be unpacked:\n${unpacked.output}`);
    renameSync(join(scratch, "unpacked/usr/bin/runsc"), join(directory, "runsc"));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The hash decides, so it does not matter which keys the system trusts. */
function ownLists(scratch) {
  const mirror = process.env["CASTELLAN_DEBIAN_MIRROR"] ?? "http://deb.debian.org/debian";
  writeFileSync(join(scratch, "sources.list"), `deb [trusted=yes] ${mirror} bookworm-backports main\n`);
  mkdirSync(join(scratch, "lists/partial"), { recursive: true });
  return [
    ["Dir::Etc::sourcelist", join(scratch, "sources.list")],
    ["Dir::Etc::sourceparts", "/dev/null"],
    ["Dir::Etc::preferencesparts", "/dev/null"],
    ["Dir::State::lists", join(scratch, "lists")],
    ["Dir::Cache::pkgcache", ""],
    ["Dir::Cache::srcpkgcache", ""],
    // apt's own user could not enter the scratch directory.
    ["APT::Sandbox::User", "root"],
    ["Acquire::Retries", "1"],
    ["Acquire::http::Timeout", "20"],
  ].flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

const byHand = [
  "Install gVisor's runsc of 2024-07-29 or later by hand and name it: CASTELLAN_RUNSC=/usr/local/bin/runsc",
  "Without gVisor everything else works: leave out --isolation gvisor.",
];

function unavailable(output) {
  return new Failure(
    `gVisor (runsc ${debianVersion} from bookworm-backports) could not be fetched:\n${output}`,
    byHand,
  );
}
