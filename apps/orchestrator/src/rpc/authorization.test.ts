import { type ClientHttp2Session, connect } from "node:http2";
import { NodeService } from "@castellan/contracts/node";
import { SandboxService } from "@castellan/contracts/sandbox";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterToken, startTestNode, type TestNode } from "../testing/test-node.ts";

const procedures = [SandboxService, NodeService].flatMap((service) =>
  service.methods.map(({ name }) => `/${service.typeName}/${name}`),
);

describe("a node's services", () => {
  let node: TestNode;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    node = await startTestNode();
    session = connect(node.addresses.address);
  });
  afterAll(async () => {
    session?.close();
    await node?.dispose();
  });

  /** The status and body of a call with an empty message. */
  async function call(path: string, authorization?: string): Promise<{ status: number; body: string }> {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": path.endsWith("UpdateStream") ? "application/connect+json" : "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    });
    let status = 0;
    stream.on("response", (headers) => {
      status = Number(headers[":status"]);
    });
    stream.end(path.endsWith("UpdateStream") ? Buffer.alloc(0) : "{}");
    let body = "";
    for await (const chunk of stream.setEncoding("utf8")) body += chunk;
    return { status, body };
  }

  it.each(procedures)(
    "%s is refused without the cluster's token, in the same words whatever was shown",
    async (path) => {
      const wrong = [
        undefined,
        "",
        "Bearer",
        "Bearer ",
        clusterToken,
        `Bearer ${clusterToken}x`,
        `Bearer ${clusterToken.slice(0, -1)}`,
        `Basic ${clusterToken}`,
        `bearer ${clusterToken}`,
        `Bearer ${clusterToken}, Bearer ${clusterToken}`,
      ];
      const answers = await Promise.all(wrong.map((header) => call(path, header)));
      for (const { body } of answers) {
        expect(body).toContain('"code":"unauthenticated"');
        expect(body).not.toContain(clusterToken);
      }
      expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    },
  );

  it("answer who has the token", async () => {
    expect((await call(`/${NodeService.typeName}/Info`, `Bearer ${clusterToken}`)).status).toBe(200);
  });
});
