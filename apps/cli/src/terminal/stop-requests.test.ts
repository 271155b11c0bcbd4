import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listenForStops, type StopRequests } from "./stop-requests.ts";

describe("requests to stop", () => {
  let source: EventEmitter;
  let stops: StopRequests;
  let forced: number;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
    source = new EventEmitter();
    stops = listenForStops(source);
    forced = 0;
    stops.onSecond(() => {
      forced += 1;
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("tell Ctrl-C and a closed terminal from a service manager's SIGTERM", async () => {
    expect(stops.requested()).toBeUndefined();
    source.emit("SIGTERM");
    source.emit("SIGINT");
    expect(await stops.first).toBe("terminate");
    expect(stops.requested()).toBe("terminate");
    expect(stops.signal.aborted).toBe(true);
    const closed = new EventEmitter();
    const others = listenForStops(closed);
    closed.emit("SIGHUP");
    expect(await others.first).toBe("interrupt");
  });

  it("count the Ctrl-C that npm passes on together with the terminal's as one", () => {
    source.emit("SIGINT");
    vi.advanceTimersByTime(100);
    source.emit("SIGINT");
    expect(forced).toBe(0);
  });

  it("force at the second Ctrl-C", () => {
    source.emit("SIGINT");
    vi.advanceTimersByTime(1_000);
    source.emit("SIGINT");
    expect(forced).toBe(1);
  });

  it("leave the signals alone afterwards", () => {
    stops.dispose();
    expect(source.eventNames()).toEqual([]);
  });
});
