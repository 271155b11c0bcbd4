/** The contracts as they were last promised; `npm run baseline` replaces them. */
export const protoBaseline = "packages/contracts/baseline/proto.binpb";
export const openapiBaseline = "packages/contracts/baseline/openapi.yaml";
