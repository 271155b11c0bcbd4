import { createServer } from "node:http";
import { Sandbox } from "e2b";
import { expect, inject, test } from "vitest";

test("the client under test is the published version that the run names", async () => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers["package_version"]);
    response.setHeader("content-type", "application/json").end("[]");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No port");
    const options = { apiKey: `e2b_${"0".repeat(40)}`, apiUrl: `http://127.0.0.1:${address.port}` };
    await Sandbox.list(options).nextItems();
  } finally {
    server.close();
  }
  expect(seen).toEqual([inject("sdkVersion")]);
});
