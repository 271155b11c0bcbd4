import type { CastellanClient } from "@castellan/client";
import { Failure } from "../failure.ts";
import type { SandboxTarget } from "./exec.ts";

/** How to reach the daemon of a running sandbox. Does not extend the sandbox's life. */
export async function findTarget({ api }: CastellanClient, sandboxID: string, url: string): Promise<SandboxTarget> {
  const { data } = await api.GET("/sandboxes/{sandboxID}", { params: { path: { sandboxID } } });
  if (data === undefined) throw new Failure("The service answered without a sandbox.");
  if (data.state !== "running") throw new Failure(`Sandbox ${data.sandboxID} is ${data.state}.`);
  return { url, sandboxId: data.sandboxID, accessToken: data.envdAccessToken };
}
