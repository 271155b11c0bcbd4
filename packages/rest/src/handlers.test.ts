import { describe, expectTypeOf, test } from "vitest";
import type { Handlers, OperationReply, OperationRequest, SecuredHandler } from "./handlers.ts";

/** These are about the compiler: a line that should not compile and does, fails the type check. */
describe("handlers are held to the contract", () => {
  const metadata = { a: "1" };

  test("a declared status with its declared body compiles", () => {
    const handler: SecuredHandler<"patchSandboxMetadata"> = async () => ({
      status: 202,
      body: { metadata, revision: 1, appliedRevision: 0 },
      headers: { ETag: '"1"' },
    });
    expectTypeOf(handler).returns.resolves.toHaveProperty("status");
  });

  test("an undeclared status does not compile", () => {
    // @ts-expect-error the contract has no 418 for this operation
    const reply: OperationReply<"patchSandboxMetadata"> = { status: 418, body: { code: 418, message: "" } };
    // @ts-expect-error killing answers 204, not 200
    const killed: OperationReply<"killSandbox"> = { status: 200 };
    void [reply, killed];
  });

  test("a body of another shape does not compile", () => {
    // @ts-expect-error appliedRevision is missing
    const short: OperationReply<"patchSandboxMetadata"> = { status: 200, body: { metadata, revision: 1 } };
    const text: OperationReply<"patchSandboxMetadata"> = {
      status: 200,
      // @ts-expect-error a revision is a number
      body: { metadata, revision: "1", appliedRevision: 1 },
    };
    // @ts-expect-error a 204 has no body
    const killed: OperationReply<"killSandbox"> = { status: 204, body: {} };
    // @ts-expect-error the state is one of two words
    const listed: OperationReply<"listSandboxes"> = { status: 200, body: [{ state: "gone" }] };
    void [short, text, killed, listed];
  });

  test("a header that is not declared, or of another type, does not compile", () => {
    const named: OperationReply<"getSandboxMetadata"> = {
      status: 200,
      body: { metadata, revision: 1, appliedRevision: 1 },
      // @ts-expect-error it is called ETag
      headers: { Etag: '"1"' },
    };
    // @ts-expect-error it is a number
    const typed: OperationReply<"listSandboxes"> = { status: 200, body: [], headers: { "X-Total-Running": "1" } };
    void [named, typed];
  });

  test("a missing operation does not compile", () => {
    type WithoutPatch = Omit<Handlers, "patchSandboxMetadata">;
    const use = (handlers: WithoutPatch) => {
      // @ts-expect-error patchSandboxMetadata is missing
      const all: Handlers = handlers;
      void all;
    };
    void use;
  });

  test("a request has the contract's types", () => {
    expectTypeOf<OperationRequest<"createSandboxV2">["body"]["templateID"]>().toEqualTypeOf<string>();
    expectTypeOf<OperationRequest<"createSandboxV2">["body"]["timeout"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<OperationRequest<"connectSandboxV2">["body"]>().extract<undefined>().toEqualTypeOf<undefined>();
    expectTypeOf<OperationRequest<"getSandbox">["body"]>().toEqualTypeOf<undefined>();
    expectTypeOf<OperationRequest<"getSandbox">["params"]["sandboxID"]>().toEqualTypeOf<string>();
    expectTypeOf<OperationRequest<"listSandboxes">["query"]["limit"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<OperationRequest<"patchSandboxMetadata">["headers"]["If-Match"]>().toEqualTypeOf<string | undefined>();
  });
});
