/**
 * What a page of 100 costs in a team with many sandboxes, next to one with 1,000:
 *
 *     node --conditions=source packages/store/bench/lists.ts [sandboxes]
 */
import type { SandboxStore } from "@castellan/store";
import { Redis } from "ioredis";
import { measure, running, withRedis, withSqlite } from "./subject.ts";

const many = Number(process.argv[2] ?? 100_000);

for (const count of [1000, many]) {
  await withSqlite("normal", (store) => bench(`SQLite, ${count} sandboxes`, store, count));
  await withRedis("everysec", async (store, server) => {
    await bench(`Redis, ${count} sandboxes`, store, count);
    const redis = new Redis(server.url);
    const longest = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await redis.info("commandstats"));
    console.log(`Redis, ${count} sandboxes: ${longest?.[1]} scripts in ${longest?.[2]} µs`);
    redis.disconnect();
  });
}

async function bench(name: string, store: SandboxStore, count: number): Promise<void> {
  // Every second sandbox is `even`, the others `odd`; one in a hundred is `rare`; all are `all`.
  for (let first = 0; first < count; first += 1000) {
    await running(store, Math.min(1000, count - first), (i) => ({
      all: "1",
      half: (first + i) % 2 === 0 ? "even" : "odd",
      ...((first + i) % 100 === 0 && { rare: "1" }),
      [(first + i) % 2 === 0 ? "even" : "odd"]: "1",
    }));
  }
  const filters: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "no filter": {},
    "a tag of all": { all: "1" },
    "a tag of half": { half: "even" },
    "a rare and a common tag": { all: "1", rare: "1" },
    "two common tags that never meet": { even: "1", odd: "1" },
  };
  for (const [what, filter] of Object.entries(filters)) {
    const query = { states: ["running", "paused"], filter: new Map(Object.entries(filter)), order: "desc" } as const;
    const page = await measure(1, 1, () => store.list("bench", { ...query, limit: 100 }));
    const counted = await measure(1, 1, () => store.countRunning("bench", query.filter));
    console.log(`${name}: page of 100, ${what}: ${page}; counted: ${counted}`);
  }
}
