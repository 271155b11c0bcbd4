import { isIPv4 } from "node:net";
import { isAbsolute } from "node:path";
import { CastellanError, type EgressPolicy, everywhere, type Isolation } from "@castellan/domain";
import { parseIpv4Block } from "./network/addresses.ts";
import type { ExecutionSpec, RuntimeOptions } from "./sandbox-runtime.ts";

/** @throws `invalid_argument` for options that no node can run with. */
export function checkOptions(options: RuntimeOptions): void {
  // The path becomes part of mount options and of nft and ip scripts.
  if (!isAbsolute(options.stateDir) || !/^[A-Za-z0-9/._-]+$/.test(options.stateDir)) {
    throw invalid("stateDir must be an absolute path of letters, digits, '.', '_' and '-'");
  }
  if (options.stateDir.split("/").includes("..") || options.stateDir.endsWith("/")) {
    throw invalid("stateDir must be a path without '..' and without a slash at its end");
  }
  if (!/^[a-z0-9]{1,4}$/.test(options.devicePrefix)) throw invalid("devicePrefix must be 1 to 4 characters of a-z0-9");
  if (options.isolations?.length === 0) throw invalid("isolations must name at least one");
  if (options.runsc !== undefined && !isAbsolute(options.runsc)) throw invalid("runsc must be an absolute path");
  for (const address of options.nameservers ?? []) {
    if (!isIPv4(address)) throw invalid(`nameservers takes IPv4 addresses, not ${quoted(address)}`);
  }
  for (const entry of options.forbiddenOut ?? []) {
    if (parseIpv4Block(entry) === undefined) throw invalid(`forbiddenOut takes IPv4 blocks, not ${quoted(entry)}`);
  }
}

/** @throws `invalid_argument` for a spec that cannot be run. */
export function checkSpec(spec: ExecutionSpec): void {
  for (const [name, id] of [
    ["sandboxId", spec.sandboxId],
    ["executionId", spec.executionId],
  ] as const) {
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(id)) throw invalid(`${name} must be 1 to 64 characters of a-z0-9-`);
  }
  if (!isAbsolute(spec.rootfs)) throw invalid("rootfs must be an absolute path");
  if (!/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(spec.hostname)) {
    throw invalid("hostname must be a DNS label");
  }
  const { cpuCount, memoryMb, diskMb, pids } = spec.resources;
  inRange("cpuCount", cpuCount, 0.01, 1024);
  inRange("memoryMb", memoryMb, 32, 16 * 1024 * 1024);
  inRange("diskMb", diskMb, 64, 16 * 1024 * 1024);
  if (!Number.isInteger(diskMb)) throw invalid("diskMb must be an integer");
  if (pids !== undefined) {
    inRange("pids", pids, 16, 4_194_304);
    if (!Number.isInteger(pids)) throw invalid("pids must be an integer");
  }
  for (const [name, value] of Object.entries(spec.env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0")) {
      throw invalid(`The environment variable ${quoted(name)} has a wrong name or value`);
    }
  }
}

/** @throws `unavailable` when the node does not offer what the spec asks for. */
export function isolationFor(spec: ExecutionSpec, { isolations }: RuntimeOptions): Isolation {
  const offered: readonly Isolation[] = isolations ?? ["runc"];
  const isolation = spec.isolation ?? offered[0];
  if (isolation !== undefined && offered.includes(isolation)) return isolation;
  throw new CastellanError("unavailable", `The node offers no sandboxes with ${isolation ?? "any isolation"}`);
}

/** The policy with `allowInternet: false` said in its own words. */
export function effectivePolicy(spec: ExecutionSpec): EgressPolicy {
  const { allowOut, denyOut } = spec.egress;
  if (spec.allowInternet || denyOut.includes(everywhere)) return { allowOut, denyOut };
  return { allowOut, denyOut: [...denyOut, everywhere] };
}

function inRange(name: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most)) throw invalid(`${name} must be from ${least} to ${most}`);
}

function invalid(message: string): CastellanError {
  return new CastellanError("invalid_argument", message);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
