import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { BlankImages } from "../disk/blank-image.ts";
import { releaseLoopDevices, withLoopDevice } from "../disk/loop-device.ts";
import { unmountIfMounted } from "../disk/root-filesystem.ts";
import { openUserNamespace } from "../disk/user-namespace.ts";
import { commandsOf } from "../host/command.ts";
import { mount, mountFlags, mountIdmapped } from "../host/kernel.ts";
import { attempted, type Check, failed } from "./check.ts";

const trialIds = 65_536;

/** Does once what every start does with disks and mounts, below `directory`, and undoes it. */
export async function trials(directory: string): Promise<Check[]> {
  if (process.getuid?.() !== 0) {
    return [failed("mounts", "required", "not tried: needs root", "run as root")];
  }
  const base = await mkdtemp(join(directory, "castellan-probe-"));
  const at = (name: string) => join(base, name);
  try {
    for (const name of ["template", "lower", "disk", "root"]) await mkdir(at(name));
    const idmapped = await attempted(
      "idmapped mounts",
      "required",
      "put the templates on ext4, xfs or btrfs, and use Linux 5.19 or later",
      async () => {
        const namespace = await openUserNamespace(trialIds, directory);
        try {
          mountIdmapped(at("template"), at("lower"), namespace.fd);
        } finally {
          await namespace.close();
        }
        return "mounts that shift ids work";
      },
    );
    const images = await attempted(
      "disk images",
      "required",
      "modprobe loop ext4; in a container, pass /dev/loop-control and the loop devices in",
      async () => {
        await new BlankImages(base, commandsOf("probe")).write(at("disk.img"), 64);
        await withLoopDevice(at("disk.img"), (device) =>
          mount(device, at("disk"), "ext4", mountFlags.noAtime, "discard,noinit_itable"),
        );
        return "loop devices and ext4 work";
      },
    );
    const overlay = await attempted("overlay", "required", "modprobe overlay", async () => {
      if (!idmapped.ok || !images.ok) throw new Error("not tried: it needs both of the above");
      for (const name of ["disk/upper", "disk/work"]) await mkdir(at(name));
      const layers = `lowerdir=${at("lower")},upperdir=${at("disk/upper")},workdir=${at("disk/work")}`;
      await mount("overlay", at("root"), "overlay", 0, `${layers},index=on,nfs_export=on`);
      return "overlays over them work";
    });
    return [idmapped, images, overlay];
  } finally {
    for (const name of ["root", "lower", "disk"]) await unmountIfMounted(at(name));
    await releaseLoopDevices(base, 5000);
    await rm(base, { recursive: true, force: true });
  }
}
