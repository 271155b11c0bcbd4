import { createHash } from "node:crypto";
import { chmod, constants, copyFile, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CastellanError } from "@castellan/domain";
import { z } from "zod";
import { runCommand } from "../command.ts";
import { npmRelease } from "./recipe.ts";

/** The Node that this project pins, as an npm package with the binary inside. */
export interface PinnedNode {
  readonly version: string;
  readonly binary: string;
}

/** @throws `unavailable` when the package for this architecture is not installed. */
export async function findPinnedNode(): Promise<PinnedNode> {
  const name = `node-linux-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile(manifest, "utf8")));
    return { version, binary: join(dirname(manifest), "bin/node") };
  } catch (cause) {
    throw new CastellanError("unavailable", `The npm package ${name} is not installed: run npm ci`, { cause });
  }
}

/** Puts Node and npm below `/usr/local`, where Node's own releases put them. */
export async function installNode(rootfs: string, node: PinnedNode, signal?: AbortSignal): Promise<void> {
  const bin = join(rootfs, "usr/local/bin");
  await copyFile(node.binary, join(bin, "node"), constants.COPYFILE_FICLONE);
  await chmod(join(bin, "node"), 0o755);
  await symlink("node", join(bin, "nodejs"));

  const npm = join(rootfs, "usr/local/lib/node_modules/npm");
  await mkdir(npm, { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), "castellan-npm-"));
  const cancel = signal === undefined ? {} : { signal };
  try {
    await runCommand("npm", ["pack", `npm@${npmRelease.version}`, "--silent", "--pack-destination", scratch], {
      ...cancel,
      cwd: scratch,
      timeoutSeconds: 300,
    });
    const archive = join(scratch, `npm-${npmRelease.version}.tgz`);
    const integrity = `sha512-${createHash("sha512")
      .update(await readFile(archive))
      .digest("base64")}`;
    if (integrity !== npmRelease.integrity) {
      throw new CastellanError("unavailable", `npm ${npmRelease.version} from the registry has the wrong checksum`);
    }
    await runCommand("tar", ["-xzf", archive, "-C", npm, "--strip-components=1", "--no-same-owner"], {
      ...cancel,
      timeoutSeconds: 120,
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(bin, "npm"));
  await symlink("../lib/node_modules/npm/bin/npx-cli.js", join(bin, "npx"));
}
