import { describe, expect, it } from "vitest";
import { parseTemplateDescription, type TemplateDescription } from "./template.ts";

const good: TemplateDescription = {
  schemaVersion: 1,
  templateId: "base",
  aliases: ["base", "debian"],
  cpuCount: 2,
  memoryMb: 1024,
  diskMb: 2048,
  envdVersion: "0.6.13",
  source: "debian:bookworm",
  buildHash: "0".repeat(64),
  buildId: "abc-1",
  createdAt: "2026-01-01T00:00:00.000Z",
};

describe("a template's description", () => {
  it("is read as it was written", () => {
    expect(parseTemplateDescription(JSON.stringify(good))).toEqual(good);
  });

  it.each([
    ["a name that leaves the templates' directory", { templateId: "../etc" }, "templateId"],
    ["a build that leaves the template's directory", { buildId: "../../x" }, "buildId"],
    ["no processors", { cpuCount: 0 }, "cpuCount"],
    ["memory that is no number", { memoryMb: "1024" }, "memoryMb"],
    ["a disk of a fraction of a MiB", { diskMb: 0.5 }, "diskMb"],
    ["a date that is none", { createdAt: "yesterday" }, "createdAt"],
    ["a version of the format that is not known", { schemaVersion: 2 }, "schemaVersion"],
  ])("is refused with %s, and says which field", (_, change, field) => {
    expect(() => parseTemplateDescription(JSON.stringify({ ...good, ...change }))).toThrow(field);
  });

  it("is refused when it is not JSON", () => {
    expect(() => parseTemplateDescription("{")).toThrow("not JSON");
  });
});
