import type { EdgeLimits } from "./limits.ts";
import type { Locate, RouteTarget } from "./route.ts";
import { within } from "./within.ts";

/**
 * Where sandboxes run, as far as is known. Remembering is safe, because a gateway refuses an execution that it does not
 * have; what is not found is never remembered.
 */
export class Routes {
  readonly #locate: Locate;
  readonly #limits: EdgeLimits;
  /** Oldest first. */
  readonly #known = new Map<string, { readonly target: RouteTarget; readonly until: number }>();
  readonly #asking = new Map<string, Promise<RouteTarget | undefined>>();

  constructor(locate: Locate, limits: EdgeLimits) {
    this.#locate = locate;
    this.#limits = limits;
  }

  /** What is remembered, without asking. */
  known(sandboxId: string): RouteTarget | undefined {
    const entry = this.#known.get(sandboxId);
    return entry && entry.until > performance.now() ? entry.target : undefined;
  }

  /**
   * Asks. Requests for one sandbox that wait at the same time share a question, unless a fresh answer is wanted.
   * @throws `unavailable` when it cannot be said now.
   */
  async ask(sandboxId: string, fresh = false): Promise<RouteTarget | undefined> {
    const pending = fresh ? undefined : this.#asking.get(sandboxId);
    if (pending) return pending;
    const question = fresh ? this.#locate(sandboxId, { fresh }) : this.#locate(sandboxId);
    const answer = within(this.#limits.locateTimeoutMs, "The store does not answer", question);
    this.#asking.set(sandboxId, answer);
    try {
      const target = await answer;
      if (this.#asking.get(sandboxId) === answer) this.#remember(sandboxId, target);
      return target;
    } finally {
      if (this.#asking.get(sandboxId) === answer) this.#asking.delete(sandboxId);
    }
  }

  forget(sandboxId: string): void {
    this.#known.delete(sandboxId);
    // An answer that is on its way may be from before: it is not remembered.
    this.#asking.delete(sandboxId);
  }

  #remember(sandboxId: string, target: RouteTarget | undefined): void {
    this.#known.delete(sandboxId);
    if (target?.state !== "running") return;
    this.#known.set(sandboxId, { target, until: performance.now() + this.#limits.routeTtlMs });
    if (this.#known.size <= this.#limits.maxRoutes) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
