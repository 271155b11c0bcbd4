import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { removeTree } from "./removal.ts";

// Not against the real disk: were the guard missing, this test would take the machine with it.
it("the root directory is not removed", async () => {
  const removed: unknown[] = [];
  const remove = async (path: unknown) => {
    removed.push(path);
  };
  await expect(removeTree("/", remove)).rejects.toMatchObject({ code: Code.InvalidArgument });
  expect(removed).toEqual([]);
  await removeTree("/tmp/a", remove);
  expect(removed).toEqual(["/tmp/a"]);
});
