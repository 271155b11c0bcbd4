import { describe, expect, test } from "vitest";
import { ask, domain, executionId, sandboxId, serve, startRig, to } from "./testing/rig.ts";

const other = "ibbbbbbbbbbbbbbbbbbbb";

describe("where a request goes", () => {
  test.each(["/health", "/files", "/metrics", "/sandboxes"])(
    "%s goes to the sandbox when one is named, else to the API",
    async (path) => {
      const rig = await startRig({
        ports: { 49983: (_, response) => response.end("sandbox") },
        api: (_, response) => response.end("api"),
      });
      expect((await ask(rig, { path, headers: to(49983) })).body).toBe("sandbox");
      expect((await ask(rig, { path })).body).toBe("api");
    },
  );

  test("each port of each sandbox is reached by name, and by nothing else", async () => {
    const rig = await startRig({
      ports: { 80: (_, response) => response.end("80"), 8000: (_, response) => response.end("8000") },
    });
    expect((await ask(rig, { headers: to(80) })).body).toBe("80");
    expect((await ask(rig, { headers: to(8000, `${sandboxId}-6532622b`) })).body).toBe("8000");
    expect((await ask(rig, { headers: { Host: `8000-${sandboxId}.${domain}` } })).body).toBe("8000");
    expect((await ask(rig, { headers: { Host: `8000-${sandboxId}.${domain}`, ...to(80) } })).body).toBe("8000");
    expect((await ask(rig, { headers: { Host: "anything.example.org", ...to(80) } })).body).toBe("80");
  });

  test("one of the two headers alone gets 400", async () => {
    const rig = await startRig();
    for (const headers of [{ "E2b-Sandbox-Id": sandboxId }, { "E2b-Sandbox-Port": "80" }]) {
      const answer = await ask(rig, { headers });
      expect(answer.status).toBe(400);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(JSON.parse(answer.body)).toEqual({ code: 400, message: expect.stringContaining("Missing header") });
    }
    expect((await ask(rig, { headers: to(0) })).status).toBe(400);
    expect((await ask(rig, { headers: to(80, "NO SUCH") })).status).toBe(400);
    expect(rig.asked).toEqual([]);
  });

  test("without an API, what names no sandbox gets 404", async () => {
    const answer = await ask(await startRig(), { path: "/sandboxes" });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 404 });
  });

  test("an unknown sandbox gets 502 with the body that clients know", async () => {
    const answer = await ask(await startRig(), { path: "/health", headers: to(49983, other) });
    expect(answer.status).toBe(502);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.body).toBe(`{"sandboxId":"${other}","message":"The sandbox was not found","code":502}`);
  });

  test("a paused sandbox gets the same", async () => {
    const rig = await startRig({ target: { state: "paused" } });
    const answer = await ask(rig, { headers: to(49983) });
    expect(answer.status).toBe(502);
    expect(answer.body).toBe(`{"sandboxId":"${sandboxId}","message":"The sandbox was not found","code":502}`);
    expect(rig.gateway.connects).toEqual([]);
  });

  test("a closed port gets 502 with the body that clients know", async () => {
    const answer = await ask(await startRig(), { headers: to(8000) });
    expect(answer.status).toBe(502);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.body).toBe(
      `{"sandboxId":"${sandboxId}","message":"The sandbox is running but port is not open","port":8000,"code":502}`,
    );
  });

  test("a browser that opens a port's address gets a page; a script of a page, and any program, gets JSON", async () => {
    const rig = await startRig();
    const Host = `8000-${sandboxId}.${domain}`;
    const Accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    const page = await ask(rig, { headers: { Host, Accept } });
    expect(page.status).toBe(502);
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.body).toContain("The sandbox is running but port is not open");
    for (const headers of [{ Host, Accept, "Sec-Fetch-Mode": "cors" }, { Host }, { Accept, ...to(8000) }]) {
      expect((await ask(rig, { headers })).headers["content-type"]).toBe("application/json");
    }
  });

  test("a place is asked for once while it is known, and not at all by a request that is refused anyway", async () => {
    const rig = await startRig({ ports: { 80: (_, response) => response.end() } });
    await Promise.all([1, 2, 3].map(() => ask(rig, { headers: to(80) })));
    await ask(rig, { headers: to(80) });
    await ask(rig, { path: "/init", headers: to(49983) });
    expect(rig.asked).toEqual([{ sandboxId, fresh: false }]);
  });
});

describe("an execution that is no longer where it was", () => {
  test("is looked for once more, and found in its new place", async () => {
    const rig = await startRig({ ports: { 80: (_, response) => response.end("here") } });
    expect((await ask(rig, { headers: to(80) })).body).toBe("here");
    rig.gateway.kill(executionId);
    rig.gateway.run(sandboxId, "enext", { 80: await serve((_, response) => response.end("there")) });
    const before = rig.routes.get(sandboxId);
    if (!before) throw new Error("no route");
    rig.routes.set(sandboxId, { ...before, executionId: "enext" });

    const answer = await ask(rig, { method: "POST", headers: to(80) }, "a body that was not sent twice");
    expect(answer.body).toBe("there");
    expect(rig.asked.at(-1)).toEqual({ sandboxId, fresh: true });
  });

  test("is not found when the store still names the node that does not have it", async () => {
    const rig = await startRig({ ports: { 80: (_, response) => response.end() } });
    rig.gateway.kill(executionId);
    const answer = await ask(rig, { headers: to(80) });
    expect(answer.body).toBe(`{"sandboxId":"${sandboxId}","message":"The sandbox was not found","code":502}`);
    expect(rig.asked.map(({ fresh }) => fresh)).toEqual([false, true]);
  });
});

describe("unknown is not gone", () => {
  test("a store that errs gets 500, neither 502 nor 503", async () => {
    const rig = await startRig({ locate: async () => Promise.reject(new Error("no connection to the store: secret")) });
    const answer = await ask(rig, { headers: to(80) });
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body)).toMatchObject({ sandboxId, code: 500 });
    expect(answer.body).not.toContain("secret");
    expect(answer.headers["retry-after"]).toBe("1");
  });

  test("a store that does not answer gets the same, in time", async () => {
    const rig = await startRig({ locate: () => new Promise(() => {}), limits: { locateTimeoutMs: 50 } });
    expect((await ask(rig, { headers: to(80) })).status).toBe(500);
  });

  test("a node that cannot be reached gets the same, after the store was asked again", async () => {
    const rig = await startRig({ target: { gatewayAddress: "127.0.0.1:1" } });
    expect((await ask(rig, { headers: to(80) })).status).toBe(500);
    expect(rig.asked.map(({ fresh }) => fresh)).toEqual([false, true]);
  });

  test("a node that does not answer gets the same, in time", async () => {
    const rig = await startRig({ limits: { connectTimeoutMs: 50 } });
    rig.gateway.silent = true;
    expect((await ask(rig, { headers: to(80) })).status).toBe(500);
  });

  test("a gateway that does not know this cluster's token gets the same", async () => {
    const rig = await startRig({ clusterToken: "another", ports: { 80: (_, response) => response.end() } });
    expect((await ask(rig, { headers: to(80) })).status).toBe(500);
  });
});
