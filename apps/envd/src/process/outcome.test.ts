import { expect, it } from "vitest";
import { outcome } from "./outcome.ts";

it.each([
  [0, null, { exitCode: 0, exited: true, status: "exit status 0" }],
  [2, null, { exitCode: 2, exited: true, status: "exit status 2", error: "exit status 2" }],
  [null, "SIGTERM", { exitCode: -1, exited: false, status: "signal: terminated", error: "signal: terminated" }],
  [
    null,
    "SIGSEGV",
    { exitCode: -1, exited: false, status: "signal: segmentation fault", error: "signal: segmentation fault" },
  ],
] as const)("exit code %s and signal %s are told in the words that clients know", (code, signal, expected) => {
  expect(outcome(code, signal)).toEqual(expected);
});

it("a reason is told where the words leave it open, and not for a command that went well", () => {
  expect(outcome(null, "SIGKILL", "no memory")).toMatchObject({
    status: "signal: killed",
    error: "signal: killed (no memory)",
  });
  expect(outcome(137, null, "no memory")).toMatchObject({ error: "exit status 137 (no memory)" });
  expect(outcome(0, null, "no memory")).not.toHaveProperty("error");
});
