import { CastellanError } from "@castellan/domain";
import { describe, expect, test } from "vitest";
import { addressOf } from "./address.ts";

const id = "iaaaaaaaaaaaaaaaaaaaa";

describe("which sandbox a request is for", () => {
  test.each([
    ["an address", "127.0.0.1:3000"],
    ["the domain itself", "localhost:3000"],
    ["a foreign name", "sandbox.example.org"],
    ["a label of another domain", `8000-${id}.example.org`],
    ["a label deeper than the first", `8000-${id}.deep.localhost`],
    ["a name that is no port and id", "dashboard.localhost:3000"],
  ])("the headers name it on %s", (_, host) => {
    const headers = { host, "e2b-sandbox-id": id, "e2b-sandbox-port": "49983" };
    expect(addressOf(headers, "localhost:3000")).toEqual({ sandboxId: id, port: 49983, by: "header" });
    expect(addressOf({ host }, "localhost:3000")).toBeUndefined();
  });

  test.each([
    ["with the domain's port", `8000-${id}.localhost:3000`],
    ["with another port", `8000-${id}.localhost:8443`],
    ["without a port", `8000-${id}.localhost`],
    ["in capitals, with a final dot", `8000-${id.toUpperCase()}.LocalHost.`],
    ["with a client id behind the sandbox id", `8000-${id}-6532622b.localhost`],
  ])("a host name of port and id names it %s, whatever the headers say", (_, host) => {
    const headers = { host, "e2b-sandbox-id": "iother", "e2b-sandbox-port": "1" };
    expect(addressOf(headers, "localhost:3000")).toEqual({ sandboxId: id, port: 8000, by: "host" });
  });

  test("the older form of an id, with a client id behind it, names the sandbox in headers too", () => {
    const headers = { "e2b-sandbox-id": `${id}-6532622b`, "e2b-sandbox-port": "80" };
    expect(addressOf(headers, "localhost")).toEqual({ sandboxId: id, port: 80, by: "header" });
  });

  test.each([
    ["an id without a port", { "e2b-sandbox-id": id }],
    ["a port without an id", { "e2b-sandbox-port": "80" }],
    ["an empty port", { "e2b-sandbox-id": id, "e2b-sandbox-port": "" }],
    ["port 0", { "e2b-sandbox-id": id, "e2b-sandbox-port": "0" }],
    ["port 65536", { "e2b-sandbox-id": id, "e2b-sandbox-port": "65536" }],
    ["a port with a sign", { "e2b-sandbox-id": id, "e2b-sandbox-port": "+80" }],
    ["a hexadecimal port", { "e2b-sandbox-id": id, "e2b-sandbox-port": "0x50" }],
    ["two ports", { "e2b-sandbox-id": id, "e2b-sandbox-port": "80, 81" }],
    ["two ids", { "e2b-sandbox-id": `${id}, ${id}`, "e2b-sandbox-port": "80" }],
    ["an id in capitals", { "e2b-sandbox-id": "ABC", "e2b-sandbox-port": "80" }],
    ["an id that is a path", { "e2b-sandbox-id": "../etc", "e2b-sandbox-port": "80" }],
    ["a host name with port 0", { host: `0-${id}.localhost` }],
    ["a host name with port 65536", { host: `65536-${id}.localhost` }],
    ["a host name with an impossible id", { host: "80-a_b.localhost" }],
  ])("%s is refused", (_, headers) => {
    expect(() => addressOf(headers, "localhost:3000")).toThrow(CastellanError);
  });
});
