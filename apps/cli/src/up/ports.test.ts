import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { dialAddress, freePort, isLoopback, listenOn } from "./ports.ts";

describe("ports", () => {
  it("that are taken are named with what to do about it", async () => {
    const first = createServer();
    const second = createServer();
    try {
      const port = await listenOn(first, "127.0.0.1", 0, "--port");
      await expect(listenOn(second, "127.0.0.1", port, "--port")).rejects.toMatchObject({
        message: `127.0.0.1:${port} is in use by another program.`,
        fix: expect.stringContaining("--port"),
      });
      expect(await freePort("127.0.0.1", [port])).not.toBe(port);
    } finally {
      first.close();
      second.close();
    }
  });

  it("on an address that is not this machine's are refused", async () => {
    await expect(listenOn(createServer(), "192.0.2.1", 0, "--port")).rejects.toThrow(/not an address of this machine/);
  });

  it("are dialled on loopback when they listen everywhere, and IPv6 gets its brackets", () => {
    expect(dialAddress("0.0.0.0", 3000)).toBe("127.0.0.1:3000");
    expect(dialAddress("::", 3000)).toBe("[::1]:3000");
    expect(dialAddress("10.1.2.3", 3000)).toBe("10.1.2.3:3000");
  });

  it("know what is loopback", () => {
    expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).toBe(true);
    expect(["10.0.0.1", "0.0.0.0", "127.0.0.1.example.com"].some(isLoopback)).toBe(false);
  });
});
