import { Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FakeInternet, fakeInternet } from "../../packages/runtime/src/testing/fake-internet.ts";
import { request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

describe.runIf(canRunSandboxes).each(["sqlite", "redis"] as const)("a sandbox's network, on %s", (store) => {
  let stack: Stack;
  let net: FakeInternet;
  let sandbox: Sandbox;
  beforeAll(async () => {
    net = await fakeInternet(store === "redis" ? "ctcnr" : "ctcns");
    stack = await startStack({ store });
    sandbox = await Sandbox.create("base", connectionOptions(stack));
  }, 600_000);
  afterAll(async () => {
    await stack?.dispose();
    await net?.close();
  });

  const reaches = async (address: string): Promise<boolean> => {
    const script = `import socket; socket.create_connection(('${address}', 80), timeout=1)`;
    return (await sandbox.commands.run(`python3 -c "${script}" 2> /dev/null || echo no`)).stdout === "";
  };

  test("changes while it runs, and is what was asked for as soon as that is answered", async () => {
    const options = connectionOptions(stack);
    expect([await reaches(net.world), await reaches(net.otherWorld)]).toEqual([true, true]);
    await Sandbox.updateNetwork(sandbox.sandboxId, { denyOut: ["0.0.0.0/0"], allowOut: [net.world] }, options);
    expect([await reaches(net.world), await reaches(net.otherWorld)]).toEqual([true, false]);
    expect((await sandbox.getInfo()).network).toMatchObject({ allowOut: [net.world], denyOut: ["0.0.0.0/0"] });
    await Sandbox.updateNetwork(sandbox.sandboxId, { allowInternetAccess: false }, options);
    expect([await reaches(net.world), await reaches(net.otherWorld)]).toEqual([false, false]);
    expect((await sandbox.getInfo()).allowInternetAccess).toBe(false);
    await Sandbox.updateNetwork(sandbox.sandboxId, {}, options);
    expect([await reaches(net.world), await reaches(net.otherWorld)]).toEqual([true, true]);
    await expect(Sandbox.updateNetwork(sandbox.sandboxId, { allowOut: ["a.com"] }, options)).rejects.toThrow(
      /0\.0\.0\.0/,
    );
  });

  test("may be names, which are refused in the client's own protocol where they are not allowed", async () => {
    const body = { allowOut: ["allowed.example.com"], denyOut: ["0.0.0.0/0"] };
    expect((await request(stack, "PUT", `/sandboxes/${sandbox.sandboxId}/network`, { body })).status).toBe(204);
    const ask = `curl -s -m 5 -H 'Host: other.example.com' http://${net.world}/`;
    expect((await sandbox.commands.run(ask)).stdout).toContain("do not allow this host");
    expect(await request(stack, "PUT", `/sandboxes/${sandbox.sandboxId}/network`, { body: {} })).toMatchObject({
      status: 204,
    });
  });

  test.each([undefined, 60])(
    "its files are reached by signed URLs of one origin, expiring after %s",
    async (seconds) => {
      const opts = seconds === undefined ? {} : { useSignatureExpiration: seconds };
      const path = "/home/user/notes/über 1+1.txt";
      const form = new FormData();
      form.append("file", new Blob(["by form"]), "any");
      expect((await fetch(await sandbox.uploadUrl(path, opts), { method: "POST", body: form })).status).toBe(200);
      expect(await (await fetch(await sandbox.downloadUrl(path, opts))).text()).toBe("by form");
      const headers = { "Content-Type": "application/octet-stream" };
      const upload = await sandbox.uploadUrl(path, { ...opts, user: "root" });
      expect((await fetch(upload, { method: "POST", headers, body: "as it is" })).status).toBe(200);
      const download = await sandbox.downloadUrl(path, { ...opts, user: "root" });
      expect(await (await fetch(download)).text()).toBe("as it is");
      const forged = download.replace(encodeURIComponent("1+1"), "1%2B2");
      expect(forged).not.toBe(download);
      expect(await (await fetch(forged)).json()).toEqual({ code: 401, message: "invalid signature" });
    },
  );
});
