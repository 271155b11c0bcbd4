import { describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";

describe("the daemon's set-up", () => {
  it("has defaults that fit a sandbox", () => {
    expect(readConfig({})).toEqual({
      host: "0.0.0.0",
      port: 49983,
      initSecretHash: undefined,
      passwdFile: "/etc/passwd",
      groupFile: "/etc/group",
      path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    });
  });

  it("comes from the environment", () => {
    const hash = "ab".repeat(32);
    const config = readConfig({ CASTELLAN_ENVD_PORT: "21000", CASTELLAN_INIT_SHA256: hash, PATH: "/bin" });
    expect(config).toMatchObject({ port: 21000, path: "/bin" });
    expect(config.initSecretHash?.toString("hex")).toBe(hash);
  });

  it.each([
    ["CASTELLAN_ENVD_PORT", "http"],
    ["CASTELLAN_ENVD_PORT", "65536"],
    ["CASTELLAN_ENVD_PORT", "-1"],
    ["CASTELLAN_INIT_SHA256", "secret"],
    ["CASTELLAN_INIT_SHA256", "ab".repeat(31)],
  ])("with a malformed %s (%s) is refused by name", (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(name);
  });
});
