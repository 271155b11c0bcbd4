import { describe, expect, it } from "vitest";
import { checkServer, durabilityOf, parseInfo, runIdOf, type ServerFacts, takesStrictScripts } from "./server.ts";

function facts(changes: Readonly<Record<string, string>> = {}, appendFsync = "always"): ServerFacts {
  const info = {
    redis_version: "7.0.15",
    run_id: "abc",
    maxmemory_policy: "noeviction",
    role: "master",
    aof_enabled: "1",
    ...changes,
  };
  const text = ["# Server", "", ...Object.entries(info).map(([name, value]) => `${name}:${value}`)].join("\r\n");
  return { info: parseInfo(text), appendFsync };
}

describe("a Redis server", () => {
  it("is taken from 6.2 on, and told why it is not", () => {
    for (const version of ["6.2.0", "6.2.14", "7.0.15", "7.4.1", "8.0.0", "10.0"]) {
      expect(() => checkServer(facts({ redis_version: version }))).not.toThrow();
    }
    for (const version of ["6.0.16", "5.0.7", "2.8"]) {
      expect(() => checkServer(facts({ redis_version: version }))).toThrow(/is too old: Castellan needs 6.2 or newer/);
    }
  });

  it("is refused with any policy that drops keys, and as a replica", () => {
    for (const policy of ["allkeys-lru", "volatile-ttl", "allkeys-random"]) {
      expect(() => checkServer(facts({ maxmemory_policy: policy }))).toThrow(/needs noeviction/);
    }
    expect(() => checkServer(facts({ role: "slave" }))).toThrow(/is a replica/);
  });

  it("is a new incarnation with each run id, and takes strict scripts from 7 on", () => {
    expect(runIdOf(facts())).toBe("abc");
    expect(takesStrictScripts(facts({ redis_version: "6.2.6" }))).toBe(false);
    expect(takesStrictScripts(facts())).toBe(true);
  });

  it("keeps what its settings say, in words", () => {
    expect(durabilityOf(facts())).toMatch(/appendfsync always: .* survives kill and power loss/);
    expect(durabilityOf(facts({}, "everysec"))).toMatch(/up to about 1 s/);
    expect(durabilityOf(facts({}, "no"))).toMatch(/operating system decides/);
    expect(durabilityOf(facts({}, "unknown"))).toMatch(/does not tell/);
    expect(durabilityOf(facts({ aof_enabled: "0" }))).toMatch(/appendonly no/);
    expect(durabilityOf(facts({ connected_slaves: "1" }))).toMatch(/fail-over can lose/);
  });
});
