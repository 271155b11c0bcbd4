import type { Campaign } from "./campaign.ts";
import { daemonCampaign } from "./daemon.ts";
import { edgeCampaign } from "./edge.ts";
import { gatewayCampaign } from "./gateway.ts";
import { nodeCampaign } from "./node-services.ts";
import { restCampaign } from "./rest.ts";

export const campaigns: readonly Campaign[] = [
  restCampaign,
  edgeCampaign,
  daemonCampaign,
  gatewayCampaign,
  nodeCampaign,
];
