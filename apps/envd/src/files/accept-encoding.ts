/** The encodings that a download can have. */
export type Coding = "identity" | "gzip";

/**
 * Which encoding a client gets that sent this `Accept-Encoding`, or undefined when it takes none that there is.
 *
 * gzip is for clients that ask for it in particular. The lists that HTTP libraries send by themselves ("gzip, deflate,
 * br") get the bytes as they are: compressing costs more than it saves where sandbox and client are near each other, and
 * it would take the length from the answer.
 */
export function chooseCoding(header: string | undefined): Coding | undefined {
  const weights = new Map((header ?? "").split(",").map(weighted));
  weights.delete("");
  const weightOf = (name: string) => weights.get(name) ?? weights.get("*");
  const identity = weightOf("identity");
  const gzip = weights.get("gzip") ?? weights.get("x-gzip") ?? (identity === 0 ? weights.get("*") : undefined) ?? 0;
  if (identity === 0) return gzip > 0 ? "gzip" : undefined;
  const isParticular = [...weights.keys()].every((name) => ["gzip", "x-gzip", "identity", "*"].includes(name));
  return gzip > 0 && isParticular && gzip >= (weights.get("identity") ?? 0) ? "gzip" : "identity";
}

/** Whether the bytes as they are will do, for answers that can be nothing else. */
export function takesIdentity(header: string | undefined): boolean {
  const weights = new Map((header ?? "").split(",").map(weighted));
  return (weights.get("identity") ?? weights.get("*")) !== 0;
}

function weighted(text: string): [name: string, weight: number] {
  const [name = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
  return [name, weight !== undefined && /^[01](\.\d{0,3})?$/.test(weight) ? Number(weight) : 1];
}
