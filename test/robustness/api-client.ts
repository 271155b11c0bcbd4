import { parseJson } from "@castellan/domain";
import { Pool } from "undici";

/** What came of a request. `unsent`: nothing of it can have reached the server. `lost`: there was no answer. */
export type Reply =
  | { readonly kind: "answered"; readonly status: number; readonly body: unknown }
  | { readonly kind: "unsent" }
  | { readonly kind: "lost" };

/** Requests to one API process, never sent twice. */
export class ApiClient {
  readonly #pool: Pool;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(origin: string, apiKey: string, connections: number) {
    this.#pool = new Pool(origin, { connections, pipelining: 1, connect: { timeout: 2_000 } });
    this.#headers = { "x-api-key": apiKey, "content-type": "application/json" };
  }

  async send(
    method: "GET" | "PATCH" | "POST" | "DELETE",
    path: string,
    options: {
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly withinMs?: number;
    } = {},
  ): Promise<Reply> {
    const { body, headers, withinMs = 8_000 } = options;
    try {
      const response = await this.#pool.request({
        method,
        path,
        headers: { ...this.#headers, ...headers },
        body: body ?? null,
        headersTimeout: withinMs,
        bodyTimeout: withinMs,
      });
      const text = await response.body.text();
      return { kind: "answered", status: response.statusCode, body: text === "" ? undefined : parseJson(text) };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      return { kind: code === "ECONNREFUSED" || code === "UND_ERR_CONNECT_TIMEOUT" ? "unsent" : "lost" };
    }
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}
