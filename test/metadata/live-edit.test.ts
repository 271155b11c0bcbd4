import { Sandbox } from "e2b";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metadataState, request } from "../support/rest.ts";
import { connectionOptions } from "../support/sdk.ts";
import { canRunSandboxes, type Stack, startStack } from "../support/stack.ts";

describe.runIf(canRunSandboxes).each(["sqlite", "redis"] as const)("live metadata on %s", (store) => {
  let stack: Stack;
  let sandbox: Sandbox;
  const path = () => `/sandboxes/${sandbox.sandboxId}/metadata`;

  beforeAll(async () => {
    stack = await startStack({ store });
    sandbox = await Sandbox.create("base", {
      ...connectionOptions(stack),
      metadata: { job: "1", keep: "me", blank: "" },
    });
  });
  afterAll(async () => {
    await stack?.dispose();
  });

  test("tags are edited while a command runs, and get and list show them at once", async () => {
    const command = await sandbox.commands.run("sleep 2; echo done", { background: true });
    const answer = await request(stack, "PATCH", path(), { body: { job: null, stage: "build", keep: "" } });
    expect(answer.status).toBe(200);
    const state = metadataState(answer);
    expect(state.metadata).toEqual({ stage: "build", blank: "" });
    expect(state.appliedRevision).toBe(state.revision);
    expect(answer.headers.get("etag")).toBe(`"${state.revision}"`);
    expect((await sandbox.getInfo()).metadata).toEqual({ stage: "build", blank: "" });
    const query = { metadata: { stage: "build" } };
    const found = await Sandbox.list({ ...connectionOptions(stack), query }).nextItems();
    expect(found.map(({ sandboxId }) => sandboxId)).toEqual([sandbox.sandboxId]);
    const gone = await Sandbox.list({ ...connectionOptions(stack), query: { metadata: { job: "1" } } }).nextItems();
    expect(gone).toEqual([]);
    expect((await command.wait()).stdout).toBe("done\n");
  });

  test("an edit without effect keeps the revision", async () => {
    const before = metadataState(await request(stack, "GET", path()));
    const answer = await request(stack, "PATCH", path(), { body: { absent: null } });
    expect(answer.status).toBe(200);
    expect(metadataState(answer).revision).toBe(before.revision);
  });

  test("an edit on a condition that no longer holds changes nothing", async () => {
    const before = metadataState(await request(stack, "GET", path()));
    const first = await request(stack, "PATCH", path(), {
      body: { guarded: "yes" },
      headers: { "If-Match": `"${before.revision}"` },
    });
    expect(first.status).toBe(200);
    const late = await request(stack, "PATCH", path(), {
      body: { guarded: "no" },
      headers: { "If-Match": `"${before.revision}"` },
    });
    expect(late.status).toBe(412);
    expect(metadataState(await request(stack, "GET", path())).metadata["guarded"]).toBe("yes");
  });

  test("fifty writers at once lose nothing", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, writer) => request(stack, "PATCH", path(), { body: { [`w${writer}`]: "x" } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const revisions = new Set(answers.map((answer) => metadataState(answer).revision));
    expect(revisions.size).toBe(50);
    const { metadata } = metadataState(await request(stack, "GET", path()));
    expect(Object.keys(metadata).filter((key) => /^w\d+$/.test(key)).length).toBe(50);
  });

  test("a key with an escape is not taken for one that an earlier body had", async () => {
    for (const key of ["\\\\", "\\n", "\\\\n", '\\"']) {
      const answer = await request(stack, "PATCH", path(), { body: `{"a":"1","${key}":"x"}` });
      expect(answer.status).toBe(200);
    }
    const { metadata } = metadataState(await request(stack, "GET", path()));
    expect(["\\", "\n", "\\n", '"'].map((key) => metadata[key])).toEqual(["x", "x", "x", "x"]);
  });

  test("odd keys are ordinary keys", async () => {
    const body = '{"__proto__":"p","constructor":"c","1":"one","toString":"t","k\\u0000ey":"nul","emoji 😀":"é"}';
    const answer = await request(stack, "PATCH", path(), {
      body,
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(answer.status).toBe(200);
    const { metadata } = metadataState(await request(stack, "GET", path()));
    expect(Object.entries(metadata)).toEqual(
      expect.arrayContaining([
        ["__proto__", "p"],
        ["constructor", "c"],
        ["1", "one"],
        ["toString", "t"],
        ["k\0ey", "nul"],
        ["emoji 😀", "é"],
      ]),
    );
  });
});
