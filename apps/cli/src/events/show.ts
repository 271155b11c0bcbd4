import type { CastellanClient, SandboxEvent, SandboxEventType } from "@castellan/client";
import { lifecycleEventTypes } from "@castellan/domain";
import { Failure } from "../failure.ts";
import { printable } from "../terminal/printable.ts";
import type { ResultSink } from "../terminal/table.ts";

export interface ShowEventsOptions {
  readonly sandboxId: string | undefined;
  /** None for all. */
  readonly types: readonly SandboxEventType[];
  readonly after: string | undefined;
  readonly follow: boolean;
  readonly json: boolean;
  readonly sink: ResultSink;
  readonly signal?: AbortSignal;
}

/** Without `--after`: what is shown before what happens. */
const lastShown = 20;
/** Of one answer. */
const pageEvents = 100;

/** @throws Failure for a word that is no type of event. */
export function eventTypes(words: readonly string[]): SandboxEventType[] {
  return words.map((word): SandboxEventType => {
    const type = lifecycleEventTypes.find((known) => known === word.replace(/^sandbox\.lifecycle\./, ""));
    if (type === undefined) throw new Failure(`--type must be one of ${lifecycleEventTypes.join(", ")}.`);
    return `sandbox.lifecycle.${type}`;
  });
}

/** `castellan events`: the last ones, or all after one, oldest first; and where told to follow, what happens. */
export async function showEvents(client: CastellanClient, options: ShowEventsOptions): Promise<void> {
  const print = (event: SandboxEvent) =>
    options.sink.write(`${options.json ? JSON.stringify(event) : printable(lineOf(event))}\n`);
  let last = options.after;
  const shown = last === undefined ? await newest(client, options) : after(client, options, last);
  for await (const event of shown) {
    print(event);
    last = event.id;
  }
  if (!options.follow) return;
  const { sandboxId, types, signal } = options;
  const events = client.events({
    types,
    ...(sandboxId !== undefined && { sandboxId }),
    // What has come since the look is not to be missed where there was nothing yet.
    after: last ?? "0",
    ...(signal !== undefined && { signal }),
  });
  for await (const event of events) print(event);
}

async function newest(client: CastellanClient, options: ShowEventsOptions): Promise<SandboxEvent[]> {
  return (await page(client, options, { limit: lastShown })).events.reverse();
}

async function* after(client: CastellanClient, options: ShowEventsOptions, from: string): AsyncGenerator<SandboxEvent> {
  for (let next: string | undefined = from; next !== undefined; ) {
    const read: Page = await page(client, options, { limit: pageEvents, orderAsc: true, after: next });
    yield* read.events;
    next = read.next;
  }
}

interface Page {
  readonly events: SandboxEvent[];
  readonly next: string | undefined;
}

async function page(
  { api }: CastellanClient,
  { sandboxId, types }: ShowEventsOptions,
  how: { readonly limit: number; readonly orderAsc?: boolean; readonly after?: string },
): Promise<Page> {
  const query = { ...how, ...(types.length > 0 && { types: [...types] }) };
  const { data, response } =
    sandboxId === undefined
      ? await api.GET("/events/sandboxes", { params: { query } })
      : await api.GET("/events/sandboxes/{sandboxID}", { params: { query, path: { sandboxID: sandboxId } } });
  return {
    events: Array.isArray(data) ? data : [],
    next: response.headers.get("X-Next-Token") ?? undefined,
  };
}

function lineOf({ id, timestamp, type, sandboxId, eventData }: SandboxEvent): string {
  const { sandbox_metadata, metadata_delta, set_timeout, cause, found, network_egress } = eventData;
  const facts = [
    ...Object.entries(sandbox_metadata ?? {}).map(([key, value]) => `${key}=${value}`),
    ...Object.entries(metadata_delta ?? {}).map(([key, value]) => (value === null ? `${key}-` : `${key}=${value}`)),
    ...(set_timeout === undefined ? [] : [`ends ${set_timeout}`]),
    ...(network_egress === undefined ? [] : ["network rules"]),
    ...(found === true ? ["found again"] : []),
    ...(cause === undefined ? [] : [`(${cause})`]),
  ];
  return [timestamp, id, sandboxId, type.replace("sandbox.lifecycle.", "").padEnd(12), ...facts].join(" ");
}
