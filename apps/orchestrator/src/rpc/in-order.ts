/**
 * Works on up to `limit` inputs at once and yields the results in the order of the inputs. Reads no further while
 * `limit` results wait. Ends when the inputs end, fail or the signal is aborted, after the results of what had begun.
 */
export async function* inOrder<Input, Output>(
  inputs: AsyncIterable<Input>,
  limit: number,
  work: (input: Input) => Promise<Output>,
  signal: AbortSignal,
): AsyncGenerator<Output> {
  const iterator = inputs[Symbol.asyncIterator]();
  const begun: Promise<Output>[] = [];
  let endReading: () => void = () => undefined;
  const onAbort = () => endReading();
  signal.addEventListener("abort", onAbort);
  // Not a race against one promise of the abort: that would keep something of every message as long as the stream lives.
  const read = () =>
    new Promise<IteratorResult<Input>>((resolve, reject) => {
      endReading = () => resolve({ done: true, value: undefined });
      if (signal.aborted) endReading();
      else iterator.next().then(resolve, reject);
    });

  let reading: Promise<IteratorResult<Input>> | undefined = read();
  try {
    for (;;) {
      const [oldest] = begun;
      if (oldest === undefined && reading === undefined) return;
      const candidates: Promise<Step<Input, Output>>[] = [];
      if (oldest !== undefined) candidates.push(oldest.then((result) => ({ kind: "output", result })));
      if (reading !== undefined && begun.length < limit) {
        candidates.push(reading.then((result) => ({ kind: "input", result })));
      }
      const step = await Promise.race(candidates);
      if (step.kind === "output") {
        begun.shift();
        yield step.result;
      } else if (step.result.done === true) {
        reading = undefined;
      } else {
        begun.push(work(step.result.value));
        reading = read();
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Someone may have stopped listening: nothing that was begun may end as an unhandled rejection.
    for (const promise of [...begun, reading]) promise?.catch(() => undefined);
  }
}

type Step<Input, Output> =
  | { readonly kind: "input"; readonly result: IteratorResult<Input> }
  | { readonly kind: "output"; readonly result: Output };
