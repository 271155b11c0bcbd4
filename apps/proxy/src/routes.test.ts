import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "./limits.ts";
import type { RouteTarget } from "./route.ts";
import { Routes } from "./routes.ts";

function target(sandboxId: string, state: RouteTarget["state"] = "running"): RouteTarget {
  return { sandboxId, executionId: `e${sandboxId}`, state, gatewayAddress: "127.0.0.1:1", publicTraffic: true };
}

/** Routes over a store that answers when told to. */
function routesWith(limits: Partial<typeof defaultLimits> = {}) {
  const questions: { fresh: boolean; answer: (target: RouteTarget | undefined) => void }[] = [];
  const routes = new Routes((_, { fresh = false } = {}) => new Promise((answer) => questions.push({ fresh, answer })), {
    ...defaultLimits,
    ...limits,
  });
  return { routes, questions };
}

describe("where sandboxes run", () => {
  test("is asked once by everybody who waits for the same answer", async () => {
    const { routes, questions } = routesWith();
    const answers = [routes.ask("a"), routes.ask("a")];
    expect(questions.length).toBe(1);
    questions[0]?.answer(target("a"));
    expect(await Promise.all(answers)).toEqual([target("a"), target("a")]);
    expect(routes.known("a")).toEqual(target("a"));
  });

  test("is asked anew by who wants a fresh answer, which then counts", async () => {
    const { routes, questions } = routesWith();
    const old = routes.ask("a");
    const fresh = routes.ask("a", true);
    expect(questions.map((question) => question.fresh)).toEqual([false, true]);
    questions[1]?.answer({ ...target("a"), executionId: "enext" });
    await fresh;
    questions[0]?.answer(target("a"));
    await old;
    expect(routes.known("a")?.executionId).toBe("enext");
  });

  test("is known for a while only", async () => {
    const { routes, questions } = routesWith({ routeTtlMs: 30 });
    const answer = routes.ask("a");
    questions[0]?.answer(target("a"));
    await answer;
    expect(routes.known("a")).toBeDefined();
    await pause(50);
    expect(routes.known("a")).toBeUndefined();
  });

  test("is not known from an answer that was on its way when it was forgotten", async () => {
    const { routes, questions } = routesWith();
    const answer = routes.ask("a");
    routes.forget("a");
    questions[0]?.answer(target("a"));
    await answer;
    expect(routes.known("a")).toBeUndefined();
  });

  test("is not remembered for sandboxes that are paused or not there", async () => {
    const { routes, questions } = routesWith();
    for (const answer of [target("a", "paused"), undefined]) {
      const asked = routes.ask("a");
      questions.at(-1)?.answer(answer);
      await asked;
      expect(routes.known("a")).toBeUndefined();
    }
  });

  test("is remembered for so many at most, the newest", async () => {
    const { routes, questions } = routesWith({ maxRoutes: 2 });
    for (const id of ["a", "b", "c"]) {
      const asked = routes.ask(id);
      questions.at(-1)?.answer(target(id));
      await asked;
    }
    expect(["a", "b", "c"].map((id) => routes.known(id) !== undefined)).toEqual([false, true, true]);
  });
});
