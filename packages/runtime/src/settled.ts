/**
 * Waits for all parts, also when one fails: what is cleared away afterwards must not still be growing.
 * @throws the first failure.
 */
export async function allSettled(parts: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(parts)) {
    if (result.status === "rejected") throw result.reason;
  }
}
