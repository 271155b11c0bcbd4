import { Client } from "undici";

/** What a closed loop of `connections` clients saw: each sends its next request when the last one is answered. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Requests in all, those of the warm-up among them. */
  readonly requests: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<number, number>>;
}

export interface Load {
  readonly origin: string;
  readonly connections: number;
  readonly seconds: number;
  /** The request that connection `index` sends as its `count`th. */
  request(
    index: number,
    count: number,
  ): {
    readonly method: "PATCH" | "GET";
    readonly path: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
  };
}

/** Runs the load for its time, after a warm-up of a tenth of it. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const warmUp = await loop(load, load.seconds / 10);
  const result = await loop(load, load.seconds);
  return { ...result, requests: warmUp.requests + result.requests };
}

async function loop(load: Load, seconds: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const statuses: Record<number, number> = {};
  const start = performance.now();
  const end = start + seconds * 1_000;
  await Promise.all(
    Array.from({ length: load.connections }, async (_, index) => {
      const client = new Client(load.origin, { pipelining: 1, headersTimeout: 10_000, bodyTimeout: 10_000 });
      try {
        for (let count = 0; performance.now() < end; count += 1) {
          const { method, path, headers, body } = load.request(index, count);
          const sent = performance.now();
          const response = await client.request({ method, path, headers, body: body ?? null });
          await response.body.dump();
          latencies.push(performance.now() - sent);
          statuses[response.statusCode] = (statuses[response.statusCode] ?? 0) + 1;
        }
      } finally {
        await client.close();
      }
    }),
  );
  const took = (performance.now() - start) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    requestsPerSecond: latencies.length / took,
    requests: latencies.length,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    statuses,
  };
}

/** Of values that are sorted; NaN for none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
