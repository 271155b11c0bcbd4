/**
 * Works on up to `limit` inputs at once and yields the results in the order of the inputs. Reads no further while
 * `limit` results wait. Ends when the inputs end or fail, after the results of what had begun.
 */
export async function* inOrder<Input, Output>(
  inputs: AsyncIterable<Input>,
  limit: number,
  work: (input: Input) => Promise<Output>,
): AsyncGenerator<Output> {
  const iterator = inputs[Symbol.asyncIterator]();
  const begun: Promise<Output>[] = [];
  let reading: Promise<IteratorResult<Input>> | undefined = iterator.next();
  try {
    for (;;) {
      const [oldest] = begun;
      const next: Step<Input, Output> =
        oldest === undefined
          ? reading === undefined
            ? { kind: "end" }
            : { kind: "input", result: await reading }
          : reading === undefined || begun.length >= limit
            ? { kind: "output", result: await oldest }
            : await Promise.race([
                oldest.then((result) => ({ kind: "output", result }) as const),
                reading.then((result) => ({ kind: "input", result }) as const),
              ]);
      if (next.kind === "end") return;
      if (next.kind === "output") {
        begun.shift();
        yield next.result;
      } else if (next.result.done === true) {
        reading = undefined;
      } else {
        begun.push(work(next.result.value));
        reading = iterator.next();
      }
    }
  } finally {
    // Someone may have stopped listening: nothing that was begun may end as an unhandled rejection.
    for (const promise of [...begun, reading]) promise?.catch(() => undefined);
    await iterator.return?.();
  }
}

type Step<Input, Output> =
  | { readonly kind: "input"; readonly result: IteratorResult<Input> }
  | { readonly kind: "output"; readonly result: Output }
  | { readonly kind: "end" };
