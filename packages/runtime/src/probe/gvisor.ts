import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandsOf } from "../host/command.ts";
import { attempted, type Check } from "./check.ts";

const run = commandsOf("probe");

/** The oldest runsc that has what is used of it: systrap, and connections to a sandbox's loopback. */
const oldestRelease = 20240729;

const fix = "npm start -- --isolation gvisor fetches it; or name one of 2024-07-29 or later with CASTELLAN_RUNSC";

/** Whether this runsc is new enough, and runs a program on this host. */
export function gvisorChecks(program: string, init: string, directory: string): Promise<Check>[] {
  return [
    attempted("gvisor", "required", fix, async () => {
      const said = await run(program, ["--version"]);
      // `runsc version 0.0~20240729.0` from Debian, `runsc version release-20240729.0` from gVisor itself.
      const release = Number(/runsc version \D*(?:0\.0~)?(\d{8})/.exec(said)?.[1] ?? 0);
      const name = said.split("\n", 1)[0] ?? "";
      if (release < oldestRelease) throw new Error(`${name} is too old`);
      await runOnce(program, init, directory);
      return `${name}, tried`;
    }),
  ];
}

/** A sandbox without network or limits, whose only program says its version. */
async function runOnce(program: string, init: string, directory: string): Promise<void> {
  const base = await mkdtemp(join(directory, "castellan-probe-gvisor-"));
  try {
    await mkdir(join(base, "rootfs"));
    await copyFile(init, join(base, "rootfs/init"));
    const config = {
      ociVersion: "1.0.2",
      root: { path: join(base, "rootfs"), readonly: true },
      process: { user: { uid: 0, gid: 0 }, cwd: "/", args: ["/init", "--version"], env: [] },
      linux: { namespaces: ["pid", "mount", "ipc", "uts"].map((type) => ({ type })) },
    };
    await writeFile(join(base, "config.json"), JSON.stringify(config));
    const flags = ["--root", join(base, "state"), "--platform=systrap", "--network=none", "--ignore-cgroups"];
    await run(program, [...flags, "run", "--bundle", base, "castellan-probe"], { timeoutMs: 20_000 });
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}
