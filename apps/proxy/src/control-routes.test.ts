import { describe, expect, test } from "vitest";
import { isControlRoute, originForm } from "./control-routes.ts";

describe("the node's own routes of the daemon", () => {
  test.each(["/init", "/freeze", "/unfreeze", "/collapse", "/fsfreeze", "/fsthaw", "/upgrade", "/logs"])(
    "%s is one",
    (path) => {
      expect(isControlRoute(path)).toBe(true);
    },
  );

  test.each([
    ["a trailing slash", "/init/"],
    ["doubled slashes", "//init"],
    ["doubled slashes before an authority", "//host/init"],
    ["a query", "/init?x=1"],
    ["a fragment", "/init#x"],
    ["capitals", "/INIT"],
    ["one escape", "/%69nit"],
    ["an escaped slash", "/%2finit"],
    ["an escape of an escape", "/%2569nit"],
    ["three times escaped", "/%252569nit"],
    ["more escapes than an honest path has", `/%${"25".repeat(9)}69nit`],
    ["a broken escape before it", "/x%zz/../%69nit"],
    ["a dot segment", "/./init"],
    ["a way up", "/files/../init"],
    ["a way up beyond the root", "/../../init"],
    ["an escaped way up", "/files/%2e%2e/init"],
    ["a way up through an escaped slash", "/files%2f..%2finit"],
    ["backslashes", "/files\\..\\init"],
    ["an escaped backslash", "/%5cinit"],
    ["absolute form", "http://127.0.0.1:3000/init"],
    ["absolute form with a name and a password", "http://a:b@host//init"],
    ["a parameter", "/init;a=b"],
    ["a NUL behind it", "/init%00"],
    ["a tab in it", "/in%09it"],
    ["a space behind it", "/init%20"],
  ])("they are recognised with %s", (_, target) => {
    expect(isControlRoute(target)).toBe(true);
  });

  test.each([
    "/",
    "*",
    "/files?path=/init",
    "/files?path=%252525252525252Finit",
    "/health",
    "/initial",
    "/init/more",
    "/process.Process/Start",
    "/files/init",
  ])("%s is none of them", (target) => {
    expect(isControlRoute(target)).toBe(false);
  });

  test("an absolute target is passed on as path and query", () => {
    expect(originForm("http://host:1/a/b?c=d")).toBe("/a/b?c=d");
    expect(originForm("http://host?c")).toBe("/?c");
    expect(originForm("/a//b/../%2f?c=http://x")).toBe("/a//b/../%2f?c=http://x");
    expect(originForm("*")).toBe("*");
  });
});
