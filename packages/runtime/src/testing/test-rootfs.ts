import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const packages = "python3,sudo,procps,iproute2,libstdc++6,ca-certificates";

/** Why tests that start sandboxes cannot run here; undefined when they can. */
export const cannotRun: string | undefined =
  process.getuid?.() === 0 ? undefined : "needs root: it starts real sandboxes";

/**
 * A Debian root file system with Python, sudo, ps and ip: the one that `CASTELLAN_TEST_ROOTFS` names, or a small one
 * that is built once per machine, in half a minute, and kept.
 */
export async function testRootfs(): Promise<string> {
  const given = process.env["CASTELLAN_TEST_ROOTFS"];
  if (given !== undefined && given !== "") return given;
  // The name changes with the list: an older one lacks what the tests use.
  const directory = join(
    tmpdir(),
    `castellan-test-rootfs-${createHash("sha256").update(packages).digest("hex").slice(0, 8)}`,
  );
  const rootfs = join(directory, "rootfs");
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const lock = join(directory, "building");
  for (let waited = 0; !existsSync(rootfs); waited += 1) {
    if (
      await mkdir(lock).then(
        () => true,
        () => false,
      )
    ) {
      await build(join(directory, "unfinished"), rootfs).finally(() => rm(lock, { recursive: true, force: true }));
    } else if (waited > 300) {
      throw new Error(`${lock} is left from a build that did not end: remove it`);
    } else {
      await sleep(1000);
    }
  }
  return rootfs;
}

async function build(unfinished: string, rootfs: string): Promise<void> {
  await rm(unfinished, { recursive: true, force: true });
  const args = ["--variant=minbase", `--include=${packages}`, "bookworm", unfinished];
  await promisify(execFile)("mmdebstrap", args, { timeout: 240_000, maxBuffer: 16 * 1024 * 1024 });
  await rename(unfinished, rootfs);
}
