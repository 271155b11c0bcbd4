import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { environmentLines } from "./environment.ts";

const environment = {
  apiKey: `e2b_${"0a".repeat(20)}`,
  apiUrl: "http://127.0.0.1:3000",
  sandboxUrl: "http://127.0.0.1:3000",
};

it("prints the three variables, one a line, and nothing else", () => {
  expect(environmentLines(environment)).toBe(
    `E2B_API_KEY=e2b_${"0a".repeat(20)}\nE2B_API_URL=http://127.0.0.1:3000\nE2B_SANDBOX_URL=http://127.0.0.1:3000\n`,
  );
});

it("prints what a shell can export as it is", () => {
  const script = 'set -a; eval "$(cat)"; printf "%s %s %s" "$E2B_API_KEY" "$E2B_API_URL" "$E2B_SANDBOX_URL"';
  const seen = execFileSync("sh", ["-c", script], { input: environmentLines(environment), encoding: "utf8", env: {} });
  expect(seen).toBe(`${environment.apiKey} ${environment.apiUrl} ${environment.sandboxUrl}`);
});
