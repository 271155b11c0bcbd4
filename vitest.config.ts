import { defineConfig } from "vitest/config";

/** Unit tests stand beside the code; what crosses apps is in test/. Both read the sources, not the builds. */
const shared = {
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"], externalConditions: ["source"] } },
};

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          // They start nodes that share the machine's network and cgroups.
          fileParallelism: false,
        },
      },
    ],
  },
});
