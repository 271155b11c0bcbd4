import { CastellanError } from "@castellan/domain";
import { Code, ConnectError } from "@connectrpc/connect";

/** What a call came to. */
export type Answer = { readonly value: unknown } | { readonly error: unknown };

export async function answerOf(work: Promise<unknown>): Promise<Answer> {
  try {
    return { value: await work };
  } catch (error) {
    if (error instanceof CastellanError || error instanceof ConnectError) return { error };
    throw error;
  }
}

/** A store that did not answer in time: what it was asked may have happened. */
export const storeSilent: Answer = { error: new CastellanError("unavailable", "The store does not answer") };

/** A node that did not answer in time. */
export const nodeSilent: Answer = { error: new ConnectError("the deadline has passed", Code.DeadlineExceeded) };
