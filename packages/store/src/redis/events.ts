import { decimal, text } from "../decoding.ts";
import { parseEventText } from "../events/event-text.ts";
import { type EventStep, pageOfEvents } from "../events/paging.ts";
import type { EventPage, EventQuery } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import { scanEvents } from "./lua/events.ts";

export function listEvents(store: RedisConnection, teamId: string, query: EventQuery): Promise<EventPage> {
  const { order, sandboxId = "", types = [] } = query;
  return pageOfEvents(query, async (after, atMost): Promise<EventStep> => {
    const answer = await store.readTeam(scanEvents, teamId, [order, after ?? "", atMost, sandboxId, ...types]);
    const [, looked, lastText, ...pairs] = answer;
    const last = lastText === "" ? undefined : decimal(lastText);
    // A later epoch is above them.
    if (last !== undefined) store.observe(last);
    const found = [];
    for (let i = 0; i < pairs.length; i += 2) {
      found.push(parseEventText(teamId, decimal(pairs[i]), text(pairs[i + 1])));
    }
    return { found, looked: Number(looked), last };
  });
}
