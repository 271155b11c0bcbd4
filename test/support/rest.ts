import type { Stack } from "./stack.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON; `undefined` for an empty body. */
  readonly body: unknown;
}

/** One REST request as any client would send it; the body goes out as it is when it is a string. */
export async function request(
  stack: Pick<Stack, "apiUrl" | "apiKey">,
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, headers } = options;
  const response = await fetch(`${stack.apiUrl}${path}`, {
    method,
    headers: {
      "X-API-Key": stack.apiKey,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
}

export interface MetadataState {
  readonly metadata: Readonly<Record<string, string>>;
  readonly revision: number;
  readonly appliedRevision: number;
}

/** The body of a metadata answer, checked. */
export function metadataState(answer: Answer): MetadataState {
  const { body } = answer;
  if (
    typeof body === "object" &&
    body !== null &&
    "metadata" in body &&
    "revision" in body &&
    "appliedRevision" in body &&
    typeof body.metadata === "object" &&
    body.metadata !== null &&
    typeof body.revision === "number" &&
    typeof body.appliedRevision === "number"
  ) {
    const metadata = Object.fromEntries(Object.entries(body.metadata).map(([key, value]) => [key, String(value)]));
    return { metadata, revision: body.revision, appliedRevision: body.appliedRevision };
  }
  throw new Error(`Not a metadata answer: ${answer.status} ${JSON.stringify(body)}`);
}
