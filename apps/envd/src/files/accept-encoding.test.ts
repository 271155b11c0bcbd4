import { describe, expect, it } from "vitest";
import { chooseCoding, takesIdentity } from "./accept-encoding.ts";

describe("the encoding of a download", () => {
  it.each([
    [undefined, "identity"],
    ["", "identity"],
    ["gzip", "gzip"],
    ["GZIP;q=0.5", "gzip"],
    ["gzip;q=0", "identity"],
    ["identity", "identity"],
    ["gzip;q=0.5, identity", "identity"],
    ["gzip, identity;q=0.5", "gzip"],
    ["gzip, deflate", "identity"],
    ["gzip, deflate, br, zstd", "identity"],
    ["gzip, deflate, identity;q=0", "gzip"],
    ["br", "identity"],
    ["*", "identity"],
    ["*, identity;q=0", "gzip"],
    ["br, *;q=0", undefined],
    ["identity;q=0", undefined],
    ["gzip;q=0, identity;q=0", undefined],
  ])("for %j is %s", (header, coding) => {
    expect(chooseCoding(header)).toBe(coding);
  });

  it("can be none for a part of a file, unless the client refuses that", () => {
    expect(takesIdentity("gzip")).toBe(true);
    expect(takesIdentity("gzip, identity;q=0")).toBe(false);
    expect(takesIdentity("gzip, *;q=0")).toBe(false);
  });
});
