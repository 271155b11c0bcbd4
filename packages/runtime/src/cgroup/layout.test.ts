import { describe, expect, it } from "vitest";
import { parseMountinfo } from "../host/mounts.ts";
import { cgroupLayout } from "./layout.ts";

const pure = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
const hybrid = `30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
99 30 0:30 / /tmp/elsewhere rw - cgroup cgroup rw,pids
`;

describe("the host's cgroups", () => {
  it("are one tree on cgroup v2", () => {
    const layout = cgroupLayout(parseMountinfo(pure));
    expect([layout.kind, layout.trees]).toEqual(["v2", ["/sys/fs/cgroup"]]);
    expect(layout.tree("memory")).toBe("/sys/fs/cgroup");
  });

  it("are a tree per controller on v1, with an empty v2 tree beside them or not", () => {
    const layout = cgroupLayout(parseMountinfo(hybrid));
    expect(layout.kind).toBe("hybrid");
    expect(layout.trees).toHaveLength(4);
    expect(layout.tree("cpuacct")).toBe("/sys/fs/cgroup/cpu,cpuacct");
    expect(layout.tree("pids")).toBeUndefined();
    expect(cgroupLayout(parseMountinfo(hybrid.replace(/.*cgroup2.*\n/, ""))).kind).toBe("v1");
  });

  it("are read from mount points with blanks in them too", () => {
    const [entry] = parseMountinfo("30 23 0:26 / /a\\040b\\134c rw shared:4 master:1 - ext4 /dev/x\\011y rw,discard\n");
    expect(entry).toEqual({
      mountPoint: "/a b\\c",
      type: "ext4",
      source: "/dev/x\ty",
      superOptions: ["rw", "discard"],
    });
  });
});
