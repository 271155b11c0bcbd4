import { describe, expect, it } from "vitest";
import { Failure } from "./failure.ts";
import { nodeSettings, origin, timeoutSeconds, upSettings } from "./settings.ts";

describe("the settings of castellan up", () => {
  it("have defaults for one machine, on loopback", () => {
    expect(upSettings({}, {})).toEqual({
      dataDirectory: "/var/lib/castellan",
      host: "127.0.0.1",
      port: 3000,
      registryHost: "127.0.0.1",
      registryPort: undefined,
      webhookAllow: [],
      nodes: 1,
      keep: false,
      domain: "localhost:3000",
      maxSandboxes: undefined,
      limitsFile: undefined,
      memoryOvercommit: 16,
      redisUrl: undefined,
      isolations: ["runc"],
      runsc: undefined,
    });
  });

  it("say what sandboxes may have between them and the machine", () => {
    expect(upSettings({ isolation: "gvisor, runc" }, { CASTELLAN_ISOLATION: "runc" }).isolations).toEqual([
      "gvisor",
      "runc",
    ]);
    expect(upSettings({}, { CASTELLAN_ISOLATION: "gvisor", CASTELLAN_RUNSC: "/opt/runsc" })).toMatchObject({
      isolations: ["gvisor"],
      runsc: "/opt/runsc",
    });
    for (const wrong of ["kvm", "runc,runc", ","]) {
      expect(() => upSettings({ isolation: wrong }, {})).toThrow(/--isolation .* must be runc, gvisor/);
    }
  });

  it("take a flag before the environment, and the environment before the default", () => {
    const env = { CASTELLAN_PORT: "4000", CASTELLAN_DATA: "/data", CASTELLAN_NODES: "2", REDIS_URL: "redis://h:1" };
    expect(upSettings({ port: "5000" }, env)).toMatchObject({
      port: 5000,
      domain: "localhost:5000",
      dataDirectory: "/data",
      nodes: 2,
      redisUrl: "redis://h:1",
    });
  });

  it("treat an empty variable as not set", () => {
    expect(upSettings({}, { CASTELLAN_PORT: "", REDIS_URL: "" })).toMatchObject({ port: 3000, redisUrl: undefined });
  });

  it.each([
    [{ port: "0" }, {}, '--port "0" must be a whole number from 1 to 65535.'],
    [{ port: "3e3" }, {}, "--port"],
    [{ port: "65536" }, {}, "--port"],
    [{}, { CASTELLAN_PORT: "http" }, 'CASTELLAN_PORT "http" must be'],
    [{ nodes: "17" }, {}, "from 1 to 16"],
    [{ host: "not a host" }, {}, "--host"],
    [{ domain: "a.b:99999" }, {}, "--domain"],
    [{ domain: "https://a.b" }, {}, "--domain"],
    [{ data: "" }, {}, "--data"],
  ])("refuse %j with %j", (flags, env, message) => {
    expect(() => upSettings(flags, env)).toThrow(Failure);
    expect(() => upSettings(flags, env)).toThrow(message);
  });

  it("do not repeat a password when they refuse a Redis URL", () => {
    const refused = () => upSettings({}, { REDIS_URL: "http://:hunter2@host" });
    expect(refused).toThrow("REDIS_URL must be a redis:// or rediss:// URL.");
    expect(refused).not.toThrow("hunter2");
  });
});

describe("the settings of castellan node", () => {
  it("need a control plane and have defaults for the rest", () => {
    expect(() => nodeSettings({}, {})).toThrow(/needs a control plane/);
    expect(nodeSettings({ controlPlane: ["http://10.0.0.1:3001/", "http://10.0.0.2:3001"] }, {})).toEqual({
      controlPlaneUrls: ["http://10.0.0.1:3001", "http://10.0.0.2:3001"],
      tokenFile: "/var/lib/castellan/cluster-token",
      dataDirectory: "/var/lib/castellan-node",
      templatesDirectory: "/var/lib/castellan/templates",
      name: undefined,
      host: "127.0.0.1",
      advertise: undefined,
      port: 0,
      gatewayPort: 0,
      devicePrefix: undefined,
      subnet: undefined,
      maxSandboxes: 256,
      memoryOvercommit: 16,
      isolations: ["runc"],
      runsc: undefined,
    });
  });

  it.each([
    [{ controlPlane: ["10.0.0.1:3001"] }, "--control-plane"],
    [{ controlPlane: ["http://user:pw@h:1"] }, "--control-plane"],
    [{ prefix: "toolong" }, "1 to 4 lower-case letters or digits"],
    [{ subnet: "10.0.0.0/31" }, "--subnet"],
    [{ subnet: "10.0.0.0" }, "--subnet"],
    [{ name: "a b" }, "--name"],
    [{ advertise: "host:3000" }, "--advertise"],
    [{ host: "0.0.0.0" }, "must say how others reach it"],
  ])("refuse %j", (flags, message) => {
    expect(() => nodeSettings({ controlPlane: ["http://h:1"], ...flags }, {})).toThrow(message);
  });
});

it("an origin has no path, and a timeout is a positive number of seconds", () => {
  expect(origin("http://127.0.0.1:3000/", "E2B_API_URL")).toBe("http://127.0.0.1:3000");
  expect(() => origin("http://h/api", "E2B_API_URL")).toThrow(/E2B_API_URL "http:\/\/h\/api" must be an origin/);
  expect(timeoutSeconds(undefined)).toBe(300);
  expect(() => timeoutSeconds("0")).toThrow(/--timeout/);
});
