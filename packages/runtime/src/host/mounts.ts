import { readFileSync } from "node:fs";

export interface MountEntry {
  readonly mountPoint: string;
  readonly type: string;
  readonly source: string;
  /** Of the file system, as the kernel prints them. */
  readonly superOptions: readonly string[];
}

/** The mounts that this process sees, in the order in which they were made. */
export function currentMounts(): MountEntry[] {
  return parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8"));
}

export function parseMountinfo(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    if (after === undefined) return [];
    const mountPoint = before.split(" ")[4];
    const [type, source, options] = after.split(" ");
    if (mountPoint === undefined || type === undefined || source === undefined || options === undefined) return [];
    return [{ mountPoint: unescaped(mountPoint), type, source: unescaped(source), superOptions: options.split(",") }];
  });
}

export function isMountPoint(path: string): boolean {
  return currentMounts().some(({ mountPoint }) => mountPoint === path);
}

/** Mount points at or below the path, the deepest and newest first. */
export function mountPointsBelow(path: string): string[] {
  return currentMounts()
    .map(({ mountPoint }) => mountPoint)
    .filter((mountPoint) => mountPoint === path || mountPoint.startsWith(`${path}/`))
    .reverse()
    .sort((a, b) => b.split("/").length - a.split("/").length);
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
