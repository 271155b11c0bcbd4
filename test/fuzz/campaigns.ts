import type { Campaign } from "./campaign.ts";
import { daemonCampaign } from "./daemon.ts";
import { edgeCampaign } from "./edge.ts";
import { gatewayCampaign } from "./gateway.ts";
import { restCampaign } from "./rest.ts";

export const campaigns: readonly Campaign[] = [restCampaign, edgeCampaign, daemonCampaign, gatewayCampaign];
