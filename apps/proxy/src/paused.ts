import type { RouteTarget } from "./route.ts";

/**
 * What traffic to a paused sandbox does. Nothing wakes a sandbox yet, so the answer is that of an unknown one.
 *
 * @returns where the sandbox runs when it was woken.
 */
export async function wake(_target: RouteTarget): Promise<RouteTarget | undefined> {
  return undefined;
}
