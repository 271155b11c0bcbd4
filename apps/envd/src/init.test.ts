import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { run } from "./testing/run.ts";
import { isRoot, startTestDaemon, type TestDaemon } from "./testing/test-daemon.ts";

let daemon: TestDaemon;

afterEach(() => daemon?.stop());

const withToken = (token: string) => ({ headers: { "x-access-token": token } });

describe("the node's settings", () => {
  it("give commands their variables, which a request's own go before", async () => {
    daemon = await startTestDaemon();
    expect((await daemon.init({ envVars: { FOO: "global", HOME: "/tmp", ["__proto__"]: "odd" } })).status).toBe(204);
    expect((await run(daemon.process, "echo $FOO $HOME")).stdout).toBe("global /tmp\n");
    expect((await run(daemon.process, "echo $FOO", { envs: { FOO: "own" } })).stdout).toBe("own\n");
    expect((await run(daemon.process, "echo $FOO")).stdout).toBe("global\n");
  });

  it("replace earlier ones as a whole", async () => {
    daemon = await startTestDaemon();
    await daemon.init({ envVars: { A: "1" }, timestamp: new Date().toISOString() });
    await daemon.init({ envVars: { B: "2" } });
    expect((await run(daemon.process, "echo $A.$B")).stdout).toBe(".2\n");
    await daemon.init({});
    expect((await run(daemon.process, "echo $A.$B")).stdout).toBe(".\n");
  });

  it("name the directory and the user of requests that name none", async () => {
    daemon = await startTestDaemon();
    await daemon.init({ defaultWorkdir: "/tmp", ...(isRoot && { defaultUser: "other" }) });
    expect((await run(daemon.process, "pwd; id -u")).stdout).toBe(`/tmp\n${isRoot ? 21_002 : daemon.uid}\n`);
  });

  it("lock the daemon with an access token, all but its health and itself", async () => {
    daemon = await startTestDaemon();
    expect((await daemon.init({ accessToken: "token" })).status).toBe(204);
    const refused = await run(daemon.process, "true").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConnectError);
    expect(refused).toMatchObject({ code: Code.Unauthenticated });
    const unary = await fetch(`${daemon.url}/process.Process/List`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(unary.status).toBe(401);
    expect(await unary.json()).toMatchObject({ code: "unauthenticated" });
    for (const path of [
      "/metrics",
      "/envs",
      "/files/compose",
      "/nothing",
      "/files?path=/etc/passwd",
      "/files?path=/etc/passwd&signature=v1_x",
    ]) {
      const response = await fetch(`${daemon.url}${path}`);
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ code: 401, message: expect.any(String) });
    }
    const wrong = await fetch(`${daemon.url}/files?path=/etc/passwd`, withToken("tokem"));
    expect(wrong.status).toBe(401);

    expect((await fetch(`${daemon.url}/health`)).status).toBe(204);
    expect((await fetch(`${daemon.url}/files?path=/etc/passwd`, withToken("token"))).status).toBe(200);
    expect((await run(daemon.process, "echo in", withToken("token"))).stdout).toBe("in\n");
    expect((await daemon.init({})).status).toBe(204);
    expect((await run(daemon.process, "echo open")).stdout).toBe("open\n");
  });

  it("are taken from the node alone", async () => {
    daemon = await startTestDaemon();
    expect((await daemon.init({ envVars: { A: "1" } }, "guess")).status).toBe(401);
    const without = await fetch(`${daemon.url}/init`, { method: "POST", body: "{}" });
    expect(without.status).toBe(401);
    expect((await run(daemon.process, "echo .$A")).stdout).toBe(".\n");
  });

  it("are refused by a daemon that was started without a secret's hash", async () => {
    daemon = await startTestDaemon({ withoutInit: true });
    expect((await daemon.init({}, "")).status).toBe(403);
    expect((await daemon.init({})).status).toBe(403);
  });

  it("cannot be learnt or repeated from inside", async () => {
    daemon = await startTestDaemon();
    const { stdout } = await run(
      daemon.process,
      "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep SECRET; true",
    );
    expect(stdout).not.toContain(daemon.initSecret);
    expect(stdout).not.toContain("CASTELLAN");
  });

  it.each([
    ["no JSON", "{", 400],
    ["no object", "[]", 400],
    ["variables that are none", { envVars: [] }, 400],
    ["a variable that is a number", { envVars: { A: 1 } }, 400],
    ["a variable whose name cannot be", { envVars: { "A=B": "" } }, 400],
    ["a token that is a number", { accessToken: 5 }, 400],
    ["too much", { envVars: { A: "x".repeat(2_000_000) } }, 413],
  ])("with %s are refused and change nothing", async (_what, body, status) => {
    daemon = await startTestDaemon();
    await daemon.init({ envVars: { KEPT: "yes" } });
    const response = await daemon.init(body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code: status });
    expect((await run(daemon.process, "echo $KEPT")).stdout).toBe("yes\n");
  });
});
