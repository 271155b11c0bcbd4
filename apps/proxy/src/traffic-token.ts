import { createHash, timingSafeEqual } from "node:crypto";
import type { RouteTarget } from "./route.ts";

/** Whether a token opens a sandbox that takes no public traffic. Takes the same time for every wrong token. */
export function opens(token: string, target: RouteTarget): boolean {
  return target.trafficAccessToken !== undefined && timingSafeEqual(digest(token), digest(target.trafficAccessToken));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
