import { currentMounts, type MountEntry } from "../host/mounts.ts";

/** How this host offers cgroups: `v2` has one tree, `v1` and `hybrid` one tree per controller. */
export interface CgroupLayout {
  readonly kind: "v1" | "v2" | "hybrid";
  /** Mount points of all trees. */
  readonly trees: readonly string[];
  /** Where a controller's tree is; on v2 all are in the one tree, if the kernel offers them. */
  tree(controller: string): string | undefined;
}

export function currentCgroupLayout(): CgroupLayout {
  return cgroupLayout(currentMounts());
}

export function cgroupLayout(mounts: readonly MountEntry[]): CgroupLayout {
  const byController = new Map<string, string>();
  const trees: string[] = [];
  let unified: string | undefined;
  for (const { mountPoint, type, superOptions } of mounts) {
    if (!mountPoint.startsWith("/sys/fs/cgroup")) continue;
    if (type === "cgroup2") unified ??= mountPoint;
    else if (type === "cgroup") for (const option of superOptions) byController.set(option, mountPoint);
    else continue;
    if (!trees.includes(mountPoint)) trees.push(mountPoint);
  }
  if (unified === "/sys/fs/cgroup") return { kind: "v2", trees: [unified], tree: () => unified };
  return {
    kind: unified === undefined ? "v1" : "hybrid",
    trees,
    tree: (controller) => byController.get(controller),
  };
}
