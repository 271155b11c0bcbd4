import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "../command.ts";
import { files, sandboxUser } from "./recipe.ts";

/**
 * Gives a fresh Debian the user and the files of the recipe, and takes away what must not be the same in every sandbox.
 * Nobody else has touched `rootfs`, so its symbolic links are Debian's own.
 */
export async function configure(rootfs: string, signal?: AbortSignal): Promise<void> {
  const inside = (...command: string[]) =>
    runCommand("chroot", [rootfs, ...command], { timeoutSeconds: 120, ...(signal === undefined ? {} : { signal }) });

  for (const [path, { content, mode }] of Object.entries(files)) {
    const target = join(rootfs, path);
    await mkdir(dirname(target), { recursive: true });
    // Debian ships some of these as links (resolv.conf on hosts that run a resolver): replace, do not follow.
    await rm(target, { force: true });
    await writeFile(target, content);
    // Not by the call above: the umask would have a say.
    await chmod(target, mode);
  }

  const id = String(sandboxUser.id);
  await inside("/usr/sbin/groupadd", "--gid", id, sandboxUser.name);
  await inside(
    "/usr/sbin/useradd",
    "--uid",
    id,
    "--gid",
    id,
    "--groups",
    "sudo",
    "--create-home",
    "--home-dir",
    sandboxUser.home,
    "--shell",
    "/bin/bash",
    sandboxUser.name,
  );
  // As in E2B's templates: `npm install -g` and a `make install` work without sudo, and there is a /code for everyone.
  await inside("/bin/chown", "-R", `${id}:${id}`, "/usr/local");
  await inside("/bin/mkdir", "-p", "-m", "0777", "/code");
  await inside("/bin/chmod", "0777", "/code");

  // The runtime mounts its own /dev and /run; device files in the image would only be a risk.
  for (const folder of ["dev", "run", "tmp", "var/tmp", "var/cache/apt/archives", "var/lib/apt/lists", "var/log/apt"]) {
    await empty(join(rootfs, folder));
  }
  for (const path of ["etc/machine-id", "var/lib/dbus/machine-id", "var/log/dpkg.log", "var/log/bootstrap.log"]) {
    await rm(join(rootfs, path), { force: true });
  }
  // Present and empty means "not set yet"; programs then make one up instead of failing.
  await writeFile(join(rootfs, "etc/machine-id"), "", { mode: 0o444 });
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
