import { ApiError } from "@castellan/client";
import { CastellanError } from "@castellan/domain";
import { printable } from "./terminal/printable.ts";

/**
 * A command cannot go on, and the person at the terminal can do something about it. `message` is one clear sentence,
 * `fix` says what to do; neither holds a secret.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly fix: string | undefined;
  /** The exit code of the command. */
  readonly exitCode: number;

  constructor(message: string, details: { readonly fix?: string; readonly exitCode?: number; cause?: unknown } = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.fix = details.fix;
    this.exitCode = details.exitCode ?? 1;
  }
}

/** What a person sees of an error: the sentence, the fix, and the chain of causes of what was not foreseen. */
export function describeFailure(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof Failure) {
    return {
      text: error.fix === undefined ? error.message : `${error.message}\n${error.fix}`,
      exitCode: error.exitCode,
    };
  }
  if (error instanceof ApiError) return { text: describeRefusal(error), exitCode: 1 };
  return { text: causes(error).map(printable).join(": "), exitCode: 1 };
}

function describeRefusal({ status, message, retryAfterSeconds }: ApiError): string {
  const said = printable(message);
  if (status === 0) return `${said}.\nIs \`castellan up\` running? E2B_API_URL says where the API is.`;
  if (status === 401) return `The API key was refused: ${said}.\nExport E2B_API_KEY as \`castellan up\` printed it.`;
  return retryAfterSeconds === undefined ? said : `${said}\nTry again in ${retryAfterSeconds} s.`;
}

function causes(error: unknown): string[] {
  const texts: string[] = [];
  let next: unknown = error;
  while (next !== undefined && next !== null && texts.length < 5) {
    const text = next instanceof Error ? next.message : String(next);
    // "Internal error" alone says nothing; its cause does.
    if (text !== "" && !texts.includes(text)) texts.push(text);
    next = next instanceof Error ? next.cause : undefined;
  }
  return texts.length > 0 ? texts : ["Something failed without saying why"];
}

/** Whether trying the same again later makes sense. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof CastellanError && (error.code === "unavailable" || error.code === "deadline_exceeded");
}
