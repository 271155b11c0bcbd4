import { setTimeout as sleep } from "node:timers/promises";
import { type FailpointName, failpointNames } from "@castellan/domain";
import type { Dice } from "./dice.ts";
import type { Installation } from "./installation.ts";
import type { Link } from "./link.ts";
import type { Order } from "./processes/failpoint-hook.ts";

/** A fault as it was planned; how long it takes is part of the plan. */
export interface Fault {
  readonly text: string;
  /** Does it, and resolves once what it broke is repaired. */
  readonly inflict: () => Promise<void>;
}

/** Faults one after the other, from dice alone: the same seed plans the same ones. */
export function* planFaults(installation: Installation, dice: Dice): Generator<Fault, never> {
  let places: FailpointName[] = [];
  for (;;) {
    if (places.length === 0) places = dice.shuffle(failpointNames.filter((name) => exists(name, installation)));
    if (dice.oneIn(3)) {
      const place = places.pop();
      if (place !== undefined) yield failpointFault(installation, place, dice);
    } else {
      yield ordinaryFault(installation, dice);
    }
  }
}

function exists(name: FailpointName, { store }: Installation): boolean {
  return store === "sqlite" || !name.startsWith("sqlite.");
}

function ordinaryFault(installation: Installation, dice: Dice): Fault {
  const { apis, nodes, redis } = installation;
  const api = apis[dice.below(apis.length)];
  const node = nodes[dice.below(nodes.length)];
  if (api === undefined || node === undefined) throw new Error("Nothing to break");
  const ms = dice.between(100, 3_000);
  const target = dice.oneIn(2) ? api.process : node.process;
  const { storeLink } = api;
  const kinds = dice.below(redis ? 14 : 8);
  switch (kinds) {
    case 0:
    case 1:
    case 2:
      return { text: `kill ${target.name}, ${ms} ms`, inflict: () => killed(target, ms) };
    case 3:
      return { text: `stop ${target.name}, ${ms} ms`, inflict: () => stopped(target, ms) };
    case 4:
      return { text: `cut ${node.nodeId}`, inflict: async () => node.link.cut() };
    case 5:
      return {
        text: `delay ${node.nodeId} by ${ms / 20} ms`,
        inflict: () => troubled(node.link, { kind: "delay", ms: ms / 20 }, 2_000),
      };
    case 6:
      return { text: `stall ${node.nodeId}, ${ms} ms`, inflict: () => troubled(node.link, { kind: "stall" }, ms) };
    case 7: {
      const unruly = nodes.find(({ relay }) => relay !== undefined);
      return {
        text: `messages to ${unruly?.nodeId} twice and in another order, ${ms} ms`,
        async inflict() {
          if (unruly?.relay === undefined) return;
          unruly.relay.isUnruly = true;
          await sleep(ms);
          unruly.relay.isUnruly = false;
        },
      };
    }
    case 8:
    case 9:
      return {
        text: `kill redis, ${ms} ms`,
        async inflict() {
          await redis?.kill();
          await sleep(ms);
          await redis?.restart();
        },
      };
    case 10:
      return {
        text: `stop redis, ${ms} ms`,
        async inflict() {
          redis?.suspend();
          await sleep(ms);
          redis?.resume();
        },
      };
    case 11:
      return { text: `cut the store from ${api.process.name}`, inflict: async () => storeLink?.cut() };
    case 12:
      return {
        text: `duplicate commands of ${api.process.name}, ${ms} ms`,
        inflict: () => troubled(storeLink, { kind: "duplicate", ms: 300 }, ms),
      };
    default:
      return {
        text: `late commands of ${api.process.name}, ${ms} ms`,
        inflict: () => troubled(storeLink, { kind: "late", ms: 500 }, ms),
      };
  }
}

/** After these the step is done already: nothing can fail there, only die or take long. */
const cannotFail: readonly FailpointName[] = ["sqlite.commit.after", "node.append.after"];

function failpointFault({ apis, nodes }: Installation, name: FailpointName, dice: Dice): Fault {
  const candidates = (name.startsWith("node.") ? nodes : apis).map(({ process }) => process);
  const target = candidates[dice.below(candidates.length)];
  if (target === undefined) throw new Error("Nothing to break");
  const actions: readonly [Order["action"], ...Order["action"][]] = ["kill", "delay", "error"];
  const action = actions[dice.below(cannotFail.includes(name) ? 2 : 3)] ?? "kill";
  const order = { name, action, after: dice.between(1, 20), delayMs: dice.between(50, 1_500) };
  const waitMs = dice.between(100, 1_500);
  return {
    text: `${action} ${target.name} at ${name}`,
    async inflict() {
      const reached = await target.order(order, 5_000);
      if (!reached) throw new NotReached(name);
      if (action === "delay") await sleep(order.delayMs);
      if (action === "kill") await killed(target, waitMs);
    },
  };
}

/** No traffic came by the place in time. */
export class NotReached extends Error {}

async function killed(target: { end(): Promise<void>; start(): Promise<void> }, ms: number): Promise<void> {
  await target.end();
  await sleep(ms);
  await target.start();
}

async function stopped(target: { signal(name: NodeJS.Signals): void }, ms: number): Promise<void> {
  target.signal("SIGSTOP");
  await sleep(ms);
  target.signal("SIGCONT");
}

async function troubled(link: Link | undefined, trouble: Link["trouble"], ms: number): Promise<void> {
  if (link === undefined) return;
  link.trouble = trouble;
  await sleep(ms);
  link.trouble = { kind: "none" };
}
