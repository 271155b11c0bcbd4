import { describe, expect, it } from "vitest";
import { Slots } from "../slots.ts";
import { type ConfigInput, ociConfig } from "./config.ts";
import { seccompProfile } from "./seccomp.ts";
import { allowedCalls, refusedCalls } from "./syscalls.ts";

const slot = new Slots({ devicePrefix: "ab", subnet: "10.9.0.0/16", uidBase: 1_000_000 }).describe(3);

const input: ConfigInput = {
  slot,
  userNamespacePath: "/proc/7/fd/9",
  rootPath: "/state/rootfs",
  hostname: "box",
  resources: { cpuCount: 1.5, memoryMb: 512, diskMb: 1024 },
  env: { TOKEN: "a b" },
  cgroupPath: "/castellan-ab/e1",
  daemonDirectory: "/state/daemon/1",
  hook: { program: "/state/hook", args: ["wire", "x"], env: ["PATH=/bin"] },
  host: { limitsSwap: true, hasIpv6: true },
};

describe("a sandbox's OCI configuration", () => {
  it("maps all ids of the sandbox, root included, into the slot's range", () => {
    const { uidMappings, gidMappings, namespaces } = ociConfig(input).linux;
    const mapping = [{ containerID: 0, hostID: 1_131_072, size: 65_536 }];
    expect([uidMappings, gidMappings]).toEqual([mapping, mapping]);
    const types = namespaces.map(({ type }) => type).sort();
    expect(types).toEqual(["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]);
    // It has its user namespace to itself, and any other with a path would be someone else's.
    expect(namespaces.filter((namespace) => "path" in namespace)).toEqual([{ type: "user", path: "/proc/7/fd/9" }]);
  });

  it("limits memory without swap, processors and processes", () => {
    expect(ociConfig(input).linux.resources).toMatchObject({
      memory: { limit: 536_870_912, swap: 536_870_912 },
      cpu: { quota: 150_000, period: 100_000 },
      pids: { limit: 1024 },
      devices: [{ allow: false, access: "rwm" }],
    });
  });

  it("does not ask for what the host cannot do", () => {
    const { linux } = ociConfig({ ...input, host: { limitsSwap: false, hasIpv6: false } });
    expect(linux.resources.memory).toEqual({ limit: 536_870_912 });
    expect(Object.keys(linux.sysctl).some((name) => name.includes("ipv6"))).toBe(false);
  });

  it("keeps sudo possible, and grants nothing over the host, the network or the kernel", () => {
    const { noNewPrivileges, capabilities } = ociConfig(input).process;
    expect(noNewPrivileges).toBe(false);
    for (const name of [
      "SYS_ADMIN",
      "NET_ADMIN",
      "SYS_MODULE",
      "SYS_RAWIO",
      "SYS_TIME",
      "SYS_BOOT",
      "BPF",
      "MKNOD",
      "SYSLOG",
    ]) {
      expect(capabilities.bounding).not.toContain(`CAP_${name}`);
    }
    expect(capabilities.bounding).toEqual(expect.arrayContaining(["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN"]));
    expect(capabilities.ambient).toEqual([]);
  });

  it("shows the daemon read-only and gives it its environment", () => {
    const { mounts, process } = ociConfig(input);
    expect(mounts.find(({ destination }) => destination === "/.castellan")).toEqual({
      destination: "/.castellan",
      type: "bind",
      source: "/state/daemon/1",
      options: ["rbind", "ro", "nosuid", "nodev"],
    });
    expect(process.env).toContain("TOKEN=a b");
  });
});

describe("the system call profile", () => {
  const profile = seccompProfile("x64");
  const namesOf = (action: string) =>
    profile.syscalls.filter((rule) => rule.action === action && !rule.args).flatMap(({ names }) => names);

  it("allows a list and nothing else", () => {
    expect(profile.defaultAction).toBe("SCMP_ACT_ERRNO");
    expect(profile.architectures).toEqual(["SCMP_ARCH_X86_64"]);
    expect(seccompProfile("arm64").architectures).toEqual(["SCMP_ARCH_AARCH64"]);
    expect(() => seccompProfile("ia32")).toThrow("ia32");
  });

  it("has every name once, in one list", () => {
    const names = [...allowedCalls, ...refusedCalls];
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9_]+$/);
  });

  it("never allows what reaches the kernel's inside, other namespaces or io_uring", () => {
    const never = `clone3 unshare setns mount umount2 pivot_root fsopen fsmount move_mount open_tree mount_setattr bpf
      perf_event_open userfaultfd keyctl add_key request_key kexec_load kexec_file_load init_module finit_module
      delete_module io_uring_setup io_uring_enter io_uring_register open_by_handle_at reboot swapon syslog iopl ioperm
      quotactl acct settimeofday clock_settime personality socket clone`.split(/\s+/);
    const allowed = namesOf("SCMP_ACT_ALLOW");
    expect(never.filter((name) => allowed.includes(name))).toEqual([]);
  });

  it("lets clone and unshare through only without any namespace flag", () => {
    for (const name of ["clone", "unshare"]) {
      const allowing = profile.syscalls.filter((rule) => rule.action === "SCMP_ACT_ALLOW" && rule.names.includes(name));
      expect(allowing).toHaveLength(1);
      const [argument] = allowing[0]?.args ?? [];
      expect(argument).toMatchObject({ op: "SCMP_CMP_MASKED_EQ", valueTwo: 0 });
      for (const flag of [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]) {
        expect((argument?.value ?? 0) & flag).toBe(flag);
      }
    }
  });
});
