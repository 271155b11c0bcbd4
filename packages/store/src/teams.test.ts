import { describe, expect, it } from "vitest";
import { decodeTeam, encodeTeam } from "./teams.ts";

describe("a team as the stores keep it", () => {
  it("keeps every limit", () => {
    const team = {
      teamId: "t",
      name: "a team",
      maxConcurrentSandboxes: 3,
      limits: { maxTimeoutSeconds: 60, maxCpuCount: 1, maxMemoryMb: 512, maxDiskMb: 1024, requestsPerSecond: 10 },
    };
    expect(decodeTeam(encodeTeam(team))).toEqual(team);
  });

  it("has none where an earlier version wrote it", () => {
    const team = { teamId: "t", name: "a team", maxConcurrentSandboxes: 3 };
    expect(decodeTeam(JSON.stringify({ v: 1, ...team }))).toEqual(team);
    expect(decodeTeam(encodeTeam(team))).toEqual(team);
  });

  it("is refused with a limit that is no number, and not read as having none", () => {
    const text = JSON.stringify({
      v: 1,
      teamId: "t",
      name: "t",
      maxConcurrentSandboxes: 3,
      limits: { maxCpuCount: "2" },
    });
    expect(() => decodeTeam(text)).toThrow("A stored record cannot be read");
  });
});
