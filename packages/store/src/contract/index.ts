import { describeAccessTokens } from "./access-tokens.contract.ts";
import { describeConfirming } from "./confirming.contract.ts";
import { describeEdits } from "./edits.contract.ts";
import { describeEvents } from "./events.contract.ts";
import type { Subject } from "./fixture.ts";
import { describeHistory } from "./history.contract.ts";
import { describeIdempotency } from "./idempotency.contract.ts";
import { describeLife } from "./life.contract.ts";
import { describeLists } from "./lists.contract.ts";
import { describeLoops } from "./loops.contract.ts";
import { describeMergeLaws } from "./merge-laws.contract.ts";
import { describeMerging } from "./merging.contract.ts";
import { describeRecovery } from "./recovery.contract.ts";
import { describeWebhooks } from "./webhooks.contract.ts";

/** What every store does the same: registers the tests of the whole contract. */
export function describeSandboxStore(subject: Subject): void {
  describeLife(subject);
  describeEdits(subject);
  describeIdempotency(subject);
  describeHistory(subject);
  describeConfirming(subject);
  describeLists(subject);
  describeMerging(subject);
  describeMergeLaws(subject);
  describeLoops(subject);
  describeAccessTokens(subject);
  describeEvents(subject);
  describeRecovery(subject);
  describeWebhooks(subject);
}
