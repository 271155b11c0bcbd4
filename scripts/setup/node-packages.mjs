import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.mjs";
import { Failure } from "./failure.mjs";
import { pinnedNode, root, stateDirectory, systemPath } from "./paths.mjs";
import { note, step } from "./steps.mjs";

/** Says that `npm ci` was begun and not ended: what stands in node_modules then proves nothing. */
const unfinished = join(stateDirectory, "npm-ci-unfinished");

/** A slow line takes a few minutes for the 150 MB; longer is stuck. */
const timeoutMs = 15 * 60_000;

/**
 * Brings node_modules in line with package-lock.json, and leaves it alone when it is: somebody may be running from it.
 */
export async function installNodePackages(signal) {
  const reason = staleness();
  if (reason !== undefined) {
    note(`npm packages: ${reason}.`);
    await step("Installing npm packages (npm ci)", (update) => install(update, signal));
  }
  requirePinnedNode();
}

async function install(update, signal) {
  update();
  await endLeftover();
  const unreachable = await registryProblem(signal);
  writeFileSync(unfinished, "");
  const { ok, output } = await npm(
    [
      "ci",
      // Nothing here needs the packages' own install scripts; dev and optional dependencies are needed whatever the
      // user's npm settings leave out: the compiler and the pinned Node are among them.
      "--ignore-scripts",
      "--include=dev",
      "--include=optional",
      "--no-audit",
      "--no-fund",
      // npm's cache may still hold everything.
      ...(unreachable === undefined ? [] : ["--offline"]),
    ],
    timeoutMs,
    signal,
    // Who finds it there later, and this process killed, knows whom to end first.
    (pid) => writeFileSync(unfinished, String(pid)),
  );
  if (ok) {
    rmSync(unfinished);
  } else if (unreachable === undefined) {
    throw new Failure(`npm ci failed:\n${output}`, ["npm ci"]);
  } else {
    throw new Failure(`The npm registry does not answer:\n${unreachable}\nWith the network up, run this again, or:`, [
      "npm ping && npm ci",
    ]);
  }
}

/**
 * What a registry that cannot be reached says. Asked first, because `npm ci` goes on trying in silence for many minutes.
 * One that answers with an error is reachable: not all of them know the question.
 */
async function registryProblem(signal) {
  const { ok, output } = await npm(["ping", "--fetch-timeout=15000", "--fetch-retries=1"], 40_000, signal);
  const noAnswer =
    /E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|HOSTUNREACH|NETUNREACH)|ERR_SOCKET_TIMEOUT|took longer/;
  return !ok && noAnswer.test(output) ? output : undefined;
}

function npm(args, timeoutMs, signal, onStart) {
  // Not by the pinned Node, which is among what `npm ci` removes first.
  return run("npm", args, { cwd: root, env: { ...process.env, PATH: systemPath() }, timeoutMs, signal, onStart });
}

/** Ends an `npm ci` that goes on after its set-up was killed: two at once would take each other's files away. */
async function endLeftover() {
  const pid = existsSync(unfinished) ? Number(readFileSync(unfinished, "utf8")) : 0;
  while (pid > 1 && isOurNpm(pid)) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It ended in the meantime.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The number may be another process's by now. */
function isOurNpm(pid) {
  try {
    const state = /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return (
      state !== "Z" &&
      readlinkSync(`/proc/${pid}/cwd`) === root &&
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("npm")
    );
  } catch {
    return false;
  }
}

/** Why node_modules does not match the lock file, or undefined when it does. */
export function staleness(top = root, marker = unfinished) {
  const wanted = JSON.parse(readFileSync(join(top, "package-lock.json"), "utf8")).packages;
  const hidden = join(top, "node_modules/.package-lock.json");
  if (!existsSync(hidden)) return "not installed yet";
  if (existsSync(marker)) return "the last installation did not end";
  // npm keeps here what it has really put into node_modules.
  const present = JSON.parse(readFileSync(hidden, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || !path.includes("node_modules/")) continue;
    const found = present[path];
    // Optional packages for other processors are left out by npm itself.
    if (found === undefined && (entry.optional || entry.devOptional)) continue;
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (found === undefined) return `${name} is missing`;
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${name} is ${found.version}, not ${entry.version} as in package-lock.json`;
    }
    if (entry.link && found.resolved !== entry.resolved) return `${name} has moved`;
  }
  return undefined;
}

function requirePinnedNode() {
  try {
    execFileSync(pinnedNode, ["--version"], { stdio: "pipe" });
  } catch (error) {
    throw new Failure(`The pinned Node does not run: ${error.message.split("\n")[0]}`, [
      "npm ci --include=optional",
      "and, if that does not help, see whether the registry has node-linux-" +
        `${process.arch} in the version that package.json names`,
    ]);
  }
}
