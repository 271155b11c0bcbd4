import { describe, expect, it } from "vitest";
import { InvalidPathError, resolvePath } from "./paths.ts";

const user = { name: "user", uid: 1000, gid: 1000, groups: [], home: "/home/user", shell: "/bin/sh" };

describe("a client's path", () => {
  it.each([
    ["a.txt", "/home/user/a.txt"],
    ["./a/../b", "/home/user/b"],
    ["~", "/home/user"],
    ["~/a", "/home/user/a"],
    ["/etc//hosts", "/etc/hosts"],
    ["/tmp/", "/tmp"],
    ["/a/../../b", "/b"],
    ["a~b", "/home/user/a~b"],
    ["", "/home/user"],
  ])("%s means %s", (path, expected) => {
    expect(resolvePath(path, user)).toBe(expected);
  });

  it("that is empty means the default directory where there is one", () => {
    expect(resolvePath("", user, "/work")).toBe("/work");
    expect(resolvePath("", user, "~/work")).toBe("/home/user/work");
    expect(resolvePath("a", user, "/work")).toBe("/home/user/a");
  });

  it.each(["~root", "~root/a", "a\0b", "a".repeat(5000)])("that names nothing is refused (%#)", (path) => {
    expect(() => resolvePath(path, user)).toThrow(InvalidPathError);
  });
});
