import type { Slot } from "../slots.ts";
import { formatIpv4Block, type Ipv4Block } from "./addresses.ts";
import { type EgressRules, protectedRanges } from "./egress.ts";
import type { NameFilterPorts } from "./names/name-filter.ts";

/** What the firewall of a node knows. */
export interface NodeNetwork {
  readonly devicePrefix: string;
  readonly subnet: string;
  readonly nameservers: readonly string[];
  readonly forbidden: readonly Ipv4Block[];
  /** Where the filter by names listens. */
  readonly filter: NameFilterPorts;
}

/** Connections that one sandbox may hold open to the outside: the host's table of them is shared by all. */
const connectionLimit = 4096;

/** The table that holds everything of the node; no other table is ever touched. */
export function tableName(devicePrefix: string): string {
  return `castellan_${devicePrefix}`;
}

/**
 * The chains that every sandbox of the node passes, as one nft transaction. May be repeated: rules of sandboxes stay.
 * An interface that no sandbox has claimed reaches nothing.
 */
export function nodeScript(network: NodeNetwork): string {
  const table = `inet ${tableName(network.devicePrefix)}`;
  const ours = `"${network.devicePrefix}-*"`;
  const { http, tls } = network.filter;
  const filterPorts = set([String(http), String(tls)]);
  const chains: [name: string, hook: string, rules: string[]][] = [
    [
      "source",
      "{ type filter hook prerouting priority raw; policy accept; }",
      [`iifname ${ours} meta nfproto ipv6 drop`, `iifname ${ours} iifname . ip saddr != @sources counter drop`],
    ],
    ["outbound", "", [`oifname ${ours} drop`, "iifname vmap @sandboxes", "drop"]],
    ["inbound", "", ["ct state established,related accept", "drop"]],
    [
      "forward",
      "{ type filter hook forward priority filter; policy accept; }",
      [`iifname ${ours} goto outbound`, `oifname ${ours} goto inbound`],
    ],
    [
      "tohost",
      "",
      [
        "ct state established,related accept",
        ...(network.nameservers.length === 0
          ? []
          : [`iifname @resolving ip daddr ${set(network.nameservers)} meta l4proto { tcp, udp } th dport 53 accept`]),
        `iifname @naming ct status dnat tcp dport ${filterPorts} accept`,
        "drop",
      ],
    ],
    [
      "input",
      "{ type filter hook input priority filter; policy accept; }",
      // Nothing about ports of the host itself: the table outlives a node that is killed, whose ports others then get.
      [`iifname ${ours} goto tohost`],
    ],
    // To a server's port on the host's side of the sandbox's own interface.
    ["filtered", "", [`tcp dport 80 redirect to :${http}`, `tcp dport 443 redirect to :${tls}`]],
    ["prerouting", "{ type nat hook prerouting priority dstnat; policy accept; }", ["iifname vmap @named"]],
    [
      "postrouting",
      "{ type nat hook postrouting priority srcnat; policy accept; }",
      [`ip saddr ${network.subnet} oifname != ${ours} masquerade`],
    ],
  ];
  return lines([
    `add table ${table}`,
    `add set ${table} sources { type ifname . ipv4_addr; }`,
    `add set ${table} resolving { type ifname; }`,
    `add set ${table} naming { type ifname; }`,
    `add map ${table} sandboxes { type ifname : verdict; }`,
    `add map ${table} named { type ifname : verdict; }`,
    ...chains.map(([name, hook]) => `add chain ${table} ${name} ${hook}`.trimEnd()),
    ...chains.map(([name]) => `flush chain ${table} ${name}`),
    ...chains.flatMap(([name, , rules]) => rules.map((rule) => `add rule ${table} ${name} ${rule}`)),
  ]);
}

/** Takes away the whole table, whether or not it is there. */
export function removeNodeScript(devicePrefix: string): string {
  const table = `inet ${tableName(devicePrefix)}`;
  return lines([`add table ${table}`, `delete table ${table}`]);
}

/** Lets a sandbox out. */
export function addSandboxScript(network: NodeNetwork, slot: Slot, rules: EgressRules): string {
  const table = `inet ${tableName(network.devicePrefix)}`;
  return lines([
    `add chain ${table} ${chainName(slot)}`,
    `add chain ${table} ${namesChain(slot)}`,
    ...chainRules(network, slot, rules),
    `add element ${table} sources { "${slot.device}" . ${slot.address} }`,
    `add element ${table} sandboxes { "${slot.device}" : jump ${chainName(slot)} }`,
    ...(rules.dns ? [`add element ${table} resolving { "${slot.device}" }`] : []),
    ...(rules.names.length > 0 ? namingElements(slot).map((element) => `add element ${table} ${element}`) : []),
  ]);
}

/** Changes what a sandbox may reach. */
export function changeSandboxScript(network: NodeNetwork, slot: Slot, rules: EgressRules): string {
  const table = `inet ${tableName(network.devicePrefix)}`;
  const resolving = `element ${table} resolving { "${slot.device}" }`;
  const naming = namingElements(slot).map((element) => `element ${table} ${element}`);
  return lines([
    // A sandbox that an older version has started has none.
    `add chain ${table} ${namesChain(slot)}`,
    ...chainRules(network, slot, rules),
    `add ${resolving}`,
    ...(rules.dns ? [] : [`delete ${resolving}`]),
    ...naming.map((element) => `add ${element}`),
    ...(rules.names.length > 0 ? [] : naming.map((element) => `delete ${element}`)),
  ]);
}

/** Forgets a sandbox, whether or not all of it is there. */
export function removeSandboxScript(network: NodeNetwork, slot: Slot): string {
  const table = `inet ${tableName(network.devicePrefix)}`;
  const chains = [chainName(slot), namesChain(slot)];
  const elements = [
    `sources { "${slot.device}" . ${slot.address} }`,
    `sandboxes { "${slot.device}" : jump ${chainName(slot)} }`,
    `resolving { "${slot.device}" }`,
    ...namingElements(slot),
  ];
  return lines([
    // Adding first makes the removal right from any state.
    ...chains.map((chain) => `add chain ${table} ${chain}`),
    ...elements.map((element) => `add element ${table} ${element}`),
    ...elements.map((element) => `delete element ${table} ${element}`),
    ...chains.flatMap((chain) => [`flush chain ${table} ${chain}`, `delete chain ${table} ${chain}`]),
  ]);
}

function chainRules(network: NodeNetwork, slot: Slot, rules: EgressRules): string[] {
  const table = `inet ${tableName(network.devicePrefix)}`;
  return [
    `flush chain ${table} ${chainName(slot)}`,
    `flush chain ${table} ${namesChain(slot)}`,
    ...sandboxRules(network, slot, rules),
    ...namesRules(network, slot, rules),
  ];
}

/** What is decided by address stays so: only the rest of a sandbox that has names goes to the filter. */
function namesRules(network: NodeNetwork, slot: Slot, rules: EgressRules): string[] {
  if (rules.names.length === 0) return [];
  const table = `inet ${tableName(network.devicePrefix)}`;
  return [
    ...to(network.forbidden, "return"),
    ...to(protectedRanges, "return"),
    ...to(rules.allowed, "return"),
    "goto filtered",
  ].map((rule) => `add rule ${table} ${namesChain(slot)} ${rule}`);
}

function namingElements(slot: Slot): string[] {
  return [`naming { "${slot.device}" }`, `named { "${slot.device}" : jump ${namesChain(slot)} }`];
}

function sandboxRules(network: NodeNetwork, slot: Slot, rules: EgressRules): string[] {
  const table = `inet ${tableName(network.devicePrefix)}`;
  const refuse = "reject with icmpx admin-prohibited";
  const dns =
    rules.dns && network.nameservers.length > 0
      ? [`ip daddr ${set(network.nameservers)} meta l4proto { tcp, udp } th dport 53 accept`]
      : [];
  return [
    `ct state new ct count over ${connectionLimit} drop`,
    ...dns,
    ...to(network.forbidden, refuse),
    ...to(rules.named, "accept"),
    ...to(protectedRanges, refuse),
    ...to(rules.allowed, "accept"),
    ...to(rules.denied, refuse),
    "accept",
  ].map((rule) => `add rule ${table} ${chainName(slot)} ${rule}`);
}

function chainName(slot: Slot): string {
  return `sandbox_${slot.number.toString(16)}`;
}

function namesChain(slot: Slot): string {
  return `names_${slot.number.toString(16)}`;
}

function to(blocks: readonly Ipv4Block[], verdict: string): string[] {
  return blocks.length === 0 ? [] : [`ip daddr ${set(blocks.map(formatIpv4Block))} ${verdict}`];
}

function set(elements: readonly string[]): string {
  return `{ ${elements.join(", ")} }`;
}

function lines(commands: readonly string[]): string {
  return `${commands.join("\n")}\n`;
}
