import { allowedCalls, refusedCalls } from "./syscalls.ts";

/** The `linux.seccomp` section of config.json. */
export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ";
}

const [EPERM, ENOSYS] = [1, 38];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = 0x7e02_0000;
/** Only `unshare` knows CLONE_NEWTIME; in `clone` the bit belongs to the signal. */
const timeNamespaceFlag = 0x80;

/** Local sockets, IPv4, IPv6 and netlink. No raw packets (AF_PACKET), hypervisor (AF_VSOCK) or kernel crypto sockets. */
const socketFamilies = [1, 2, 10, 16];
/** Linux, Linux with a 32-bit machine name, both with randomisation off (debuggers), and "tell". */
const personalities = [0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff];

const nativeArchitecture: Partial<Record<NodeJS.Architecture, string>> = {
  x64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
};

/**
 * An allow-list for the machine's own architecture: calls through a foreign one (32-bit programs, x32) end the program.
 * No new namespaces, so a sandbox cannot gain capabilities in one of its own; `clone3` hides its flags behind a pointer
 * where no filter sees them and answers ENOSYS, which makes the C library use `clone`.
 */
export function seccompProfile(arch: NodeJS.Architecture = process.arch): SeccompProfile {
  const architecture = nativeArchitecture[arch];
  if (architecture === undefined) throw new Error(`no system call profile for ${arch}`);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: ENOSYS,
    architectures: [architecture],
    syscalls: [
      { names: allowedCalls, action: "SCMP_ACT_ALLOW" },
      { names: refusedCalls, action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
      ...withoutFlags("clone", namespaceFlags),
      ...withoutFlags("unshare", namespaceFlags | timeNamespaceFlag),
      ...withFirstArgument("socket", socketFamilies),
      ...withFirstArgument("personality", personalities),
    ],
  };
}

function withoutFlags(name: string, flags: number): SeccompRule[] {
  return [
    {
      names: [name],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: flags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    },
  ];
}

function withFirstArgument(name: string, values: readonly number[]): SeccompRule[] {
  return values.map((value) => ({
    names: [name],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
  }));
}
