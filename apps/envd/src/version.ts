/**
 * The daemon version that the control plane reports as `envdVersion`. Clients turn features on and off by it, so it
 * names the level of the protocol that is served and not this project's release.
 */
export const envdVersion = "0.6.13";
