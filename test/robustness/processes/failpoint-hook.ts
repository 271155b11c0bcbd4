import type { FailpointName, Failpoints } from "@castellan/domain";

/** What to do at a place, the `after`th time that it is reached from now on. */
export interface Order {
  readonly name: FailpointName;
  readonly action: "kill" | "error" | "delay";
  readonly after: number;
  readonly delayMs: number;
}

/** The failpoints of this process, on the orders of the process that started it. */
export function failpointsOnOrder(): Failpoints {
  let order: Order | undefined;
  let left = 0;
  process.on("message", (message: unknown) => {
    if (!isOrder(message)) return;
    order = message;
    left = message.after;
  });
  const reached = (name: FailpointName): Order | undefined => {
    if (order?.name !== name) return undefined;
    left -= 1;
    if (left > 0) return undefined;
    const due = order;
    order = undefined;
    process.send?.({ reached: name });
    if (due.action === "kill") process.kill(process.pid, "SIGKILL");
    return due;
  };
  return {
    now(name) {
      const due = reached(name);
      if (due?.action === "error") throw new Error(`failpoint ${name}`);
      if (due?.action === "delay") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, due.delayMs);
    },
    async wait(name) {
      const due = reached(name);
      if (due?.action === "error") throw new Error(`failpoint ${name}`);
      if (due?.action === "delay") await new Promise((resolve) => setTimeout(resolve, due.delayMs));
    },
  };
}

function isOrder(message: unknown): message is Order {
  return typeof message === "object" && message !== null && "name" in message && "action" in message;
}
