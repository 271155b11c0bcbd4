import { CastellanError } from "@castellan/domain";

/** The errors that both stores give in the same words. */

export function noSuchTeam(): CastellanError {
  return new CastellanError("not_found", "There is no such team");
}

export function staleEpoch(): CastellanError {
  return new CastellanError("unavailable", "The store began a new epoch; try again", { retryAfterSeconds: 1 });
}

export function quotaExceeded(limit: number): CastellanError {
  return new CastellanError("quota_exceeded", `The team may have at most ${limit} concurrent sandboxes`, {
    retryAfterSeconds: 10,
  });
}

export function otherExecution(sandboxId: string): CastellanError {
  return new CastellanError("conflict", `Sandbox "${sandboxId}" has another execution now`);
}

export function sandboxExists(sandboxId: string): CastellanError {
  return new CastellanError("conflict", `Sandbox "${sandboxId}" exists already`);
}

export function executionRemoved(sandboxId: string): CastellanError {
  return new CastellanError("conflict", `This execution of sandbox "${sandboxId}" was removed`);
}

export function revisionDiffers(): CastellanError {
  return new CastellanError("precondition_failed", "The metadata has another revision");
}

export function keyReused(): CastellanError {
  return new CastellanError("key_reused", "This Idempotency-Key was used for another edit of this sandbox");
}

export function listingTooLong(): CastellanError {
  return new CastellanError("deadline_exceeded", "No sandbox with these tags was found in time");
}

export function noSuchWebhook(): CastellanError {
  return new CastellanError("not_found", "There is no such webhook");
}

export function tooManyWebhooks(limit: number): CastellanError {
  return new CastellanError("quota_exceeded", `The team may have at most ${limit} webhooks`);
}

/** Team ids stand in key names, where braces and colons have a meaning. */
export function checkTeamId(teamId: string): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(teamId)) {
    throw new CastellanError("invalid_argument", "A team id is 1 to 64 letters, digits, - or _");
  }
}

/** Ids stand in list positions and key names. */
export function checkSandboxId(sandboxId: string): void {
  if (!/^[a-z0-9]{1,64}$/.test(sandboxId)) {
    throw new CastellanError("invalid_argument", "A sandbox id is 1 to 64 lower-case letters or digits");
  }
}
