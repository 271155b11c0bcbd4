import { randomBytes, randomUUID } from "node:crypto";
import type { components } from "@castellan/contracts/openapi";
import { CastellanError, type Webhook } from "@castellan/domain";
import type { SecuredHandlers } from "@castellan/rest";
import { publicType, typeOf } from "../events/presenting.ts";
import type { Services } from "../services.ts";

type Handled =
  | "createWebhook"
  | "listWebhooks"
  | "getWebhook"
  | "updateWebhook"
  | "deleteWebhook"
  | "listWebhookDeadLetters";

/** Where a team wants to be told of events. */
export function webhookHandlers({ store, targets, logger }: Services): Pick<SecuredHandlers, Handled> {
  return {
    async createWebhook({ body }, { teamId, apiKeyId }) {
      targets.checkUrl(body.url);
      const made = body.signatureSecret ?? randomBytes(32).toString("base64url");
      const webhook = await store.addWebhook({
        webhookId: randomUUID(),
        teamId,
        name: body.name,
        url: body.url,
        enabled: body.enabled ?? true,
        types: [...new Set(body.events)].map(typeOf),
        signatureSecret: made,
      });
      logger.info({ teamId, apiKeyId, webhookId: webhook.webhookId }, "webhook added");
      // Who did not choose the secret learns it now, and never again.
      const secret = body.signatureSecret === undefined ? { signatureSecret: made } : {};
      return { status: 201, body: { ...present(webhook), ...secret } };
    },

    async listWebhooks(_request, { teamId }) {
      return { status: 200, body: (await store.listWebhooks(teamId)).map(present) };
    },

    async getWebhook({ params }, { teamId }) {
      const webhook = (await store.listWebhooks(teamId)).find(({ webhookId }) => webhookId === params.webhookID);
      if (webhook === undefined) throw new CastellanError("not_found", "There is no such webhook");
      return { status: 200, body: present(webhook) };
    },

    async updateWebhook({ params, body }, { teamId, apiKeyId }) {
      if (body.url !== undefined) targets.checkUrl(body.url);
      const { name, url, enabled, events, signatureSecret } = body;
      const webhook = await store.editWebhook(teamId, params.webhookID, {
        ...(name !== undefined && { name }),
        ...(url !== undefined && { url }),
        ...(enabled !== undefined && { enabled }),
        ...(events !== undefined && { types: [...new Set(events)].map(typeOf) }),
        ...(signatureSecret !== undefined && { signatureSecret }),
      });
      logger.info({ teamId, apiKeyId, webhookId: webhook.webhookId }, "webhook changed");
      return { status: 200, body: present(webhook) };
    },

    async deleteWebhook({ params }, { teamId, apiKeyId }) {
      const { webhookID: webhookId } = params;
      if (!(await store.removeWebhook(teamId, webhookId))) {
        throw new CastellanError("not_found", "There is no such webhook");
      }
      logger.info({ teamId, apiKeyId, webhookId }, "webhook removed");
      return { status: 200 };
    },

    async listWebhookDeadLetters({ params }, { teamId }) {
      const letters = await store.listDeadLetters(teamId, params.webhookID);
      return {
        status: 200,
        body: letters.map(({ eventId, sandboxId, attempts, at, error, payload }) => ({
          eventId: String(eventId),
          sandboxId,
          attempts,
          timestamp: new Date(at / 1000).toISOString(),
          error,
          ...(payload !== undefined && { payload }),
        })),
      };
    },
  };
}

/** Without its secret. E2B's documents write the team's id both ways. */
function present({
  webhookId,
  teamId,
  name,
  url,
  enabled,
  types,
  createdAt,
}: Webhook): components["schemas"]["Webhook"] {
  return {
    id: webhookId,
    teamId,
    teamID: teamId,
    name,
    url,
    enabled,
    events: types.map(publicType),
    createdAt: new Date(createdAt / 1000).toISOString(),
  };
}
