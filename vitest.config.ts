import { defineConfig } from "vitest/config";
import { isStrayGoodbye } from "./packages/telemetry/src/stray-errors.ts";

/** Unit tests stand beside the code; what crosses apps is in test/. Both read the sources, not the builds. */
const sources = {
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"], externalConditions: ["source"] } },
};

/** Whole installations share the machine's network and cgroups, so their files run one after the other. */
const wholeInstallations = { testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false };

/** The same tests of the wire drive every supported version of the published client. */
function conformance(version: string, alias: string) {
  return {
    resolve: { ...sources.resolve, alias: [{ find: /^e2b$/, replacement: alias }] },
    ssr: sources.ssr,
    test: {
      name: `e2b ${version}`,
      include: ["test/conformance/**/*.test.ts"],
      provide: { sdkVersion: version },
      ...wholeInstallations,
    },
  };
}

declare module "vitest" {
  export interface ProvidedContext {
    /** The version of the npm package `e2b` that a conformance run drives. */
    sdkVersion: string;
  }
}

export default defineConfig({
  test: {
    // The processes of the product survive it too, and say why.
    onUnhandledError: (error) => (isStrayGoodbye(error) ? false : undefined),
    projects: [
      {
        ...sources,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts"],
          testTimeout: 30_000,
          // Some fill disks and unpack root filesystems beside the others, whose writes then wait for the disk.
          hookTimeout: 60_000,
        },
      },
      {
        ...sources,
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          exclude: ["test/conformance/**"],
          ...wholeInstallations,
        },
      },
      conformance("2.51.0", "e2b-current"),
      conformance("2.45.0", "e2b-previous"),
    ],
  },
});
