import { chmod, chown, type FileHandle, lstat, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory } from "../host/directories.ts";
import { detach, mount, mountFlags, mountIdmapped, unmount } from "../host/kernel.ts";
import { isMountPoint } from "../host/mounts.ts";
import { allSettled } from "../settled.ts";
import type { Slot } from "../slots.ts";
import type { BlankImages } from "./blank-image.ts";
import { releaseLoopDevices, withLoopDevice } from "./loop-device.ts";

/** Where the parts of a sandbox's root file system lie below its directory. */
export function rootPaths(directory: string) {
  return {
    image: join(directory, "disk.img"),
    /** The mounted image: `upper` and `work` of the overlay. */
    disk: join(directory, "disk"),
    lower: join(directory, "lower"),
    /** The merged root. */
    root: join(directory, "rootfs"),
  };
}

export interface RootFilesystem {
  readonly directory: string;
  readonly slot: Slot;
  /** The sandbox's user namespace, from `openUserNamespace`. */
  readonly userNamespace: Promise<FileHandle>;
  readonly template: string;
  readonly diskMb: number;
  /** Paths relative to the root, and content; directories that they need get the template's mode. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * The template below, a bounded image on top. The template is seen through a mount that shifts its ids into the slot's
 * range; the mount itself is gone afterwards, the overlay keeps it.
 */
export async function assembleRoot(images: BlankImages, root: RootFilesystem): Promise<void> {
  const paths = rootPaths(root.directory);
  await Promise.all([paths.disk, paths.lower, paths.root].map((path) => makeDirectory(path, 0o755)));
  await allSettled([mountUpper(images, root), mountLower(root)]);
  // index and nfs_export: file watchers that survive a checkpoint need file handles.
  const layers = `lowerdir=${paths.lower},upperdir=${paths.disk}/upper,workdir=${paths.disk}/work`;
  await mount("overlay", paths.root, "overlay", mountFlags.noDev, `${layers},index=on,nfs_export=on`);
  await unmount(paths.lower);
}

async function mountUpper(images: BlankImages, root: RootFilesystem): Promise<void> {
  const paths = rootPaths(root.directory);
  await images.write(paths.image, root.diskMb);
  await withLoopDevice(paths.image, (device) =>
    // noinit_itable: the kernel would fill the sparse image with zeroed inode tables in the background.
    mount(device, paths.disk, "ext4", mountFlags.noAtime | mountFlags.noDev, "discard,noinit_itable"),
  );
  const upper = join(paths.disk, "upper");
  const owner = root.slot.firstId;
  await makeDirectory(join(paths.disk, "work"), 0o700);
  await makeDirectory(upper, 0o755);
  await chown(upper, owner, owner);
  // The upper layer is new and nobody has written to it: its paths hold no links that lead elsewhere.
  for (const [path, content] of root.files) {
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth += 1) {
      const parent = names.slice(0, depth).join("/");
      await makeDirectory(join(upper, parent), await modeInTemplate(root.template, parent)).then(
        () => chown(join(upper, parent), owner, owner),
        ignoreCode("EEXIST"),
      );
    }
    await writeFile(join(upper, path), content, { flag: "wx" });
    await chmod(join(upper, path), 0o644);
    await chown(join(upper, path), owner, owner);
  }
}

async function modeInTemplate(template: string, path: string): Promise<number> {
  const stats = await lstat(join(template, path)).catch(() => undefined);
  return stats?.isDirectory() ? stats.mode & 0o7777 : 0o755;
}

async function mountLower(root: RootFilesystem): Promise<void> {
  const { fd } = await root.userNamespace;
  mountIdmapped(root.template, rootPaths(root.directory).lower, fd);
}

/** How full a mounted image is, as `df` inside the sandbox says. `undefined` when nothing is mounted there. */
export async function diskUsage(disk: string): Promise<{ diskUsedBytes: number; diskTotalBytes: number } | undefined> {
  const [{ dev }, parent, { blocks, bavail, bsize }] = await Promise.all([
    stat(disk),
    stat(dirname(disk)),
    statfs(disk),
  ]);
  // Unmounted, it would be the host's file system that answers.
  if (dev === parent.dev) return undefined;
  return { diskUsedBytes: (blocks - bavail) * bsize, diskTotalBytes: blocks * bsize };
}

/** Takes the mounts and the device away, from any state. */
export async function dismantleRoot(directory: string): Promise<void> {
  const paths = rootPaths(directory);
  for (const path of [paths.root, paths.lower, paths.disk]) await unmountIfMounted(path);
  await releaseLoopDevices(paths.image, 30_000);
}

/** Unmounts whatever is mounted at the path, however often; busy ones vanish when their last user does. */
export async function unmountIfMounted(path: string): Promise<void> {
  while (isMountPoint(path)) {
    try {
      await unmount(path);
    } catch {
      await unmount(path, detach).catch((error: unknown) => {
        if (isMountPoint(path)) throw error;
      });
    }
  }
}

function ignoreCode(code: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof Error && "code" in error && error.code === code)) throw error;
  };
}
