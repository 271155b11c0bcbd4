import { CastellanError, type Metadata } from "@castellan/domain";

const maxTags = 32;

/**
 * Reads the `metadata` parameter after the URL's own decoding: `key=value` pairs joined with `&`, where the whole is
 * encoded once more, and each key and value once more within it. `+` is a space at both levels, as in forms.
 *
 * @throws `invalid_argument`
 */
export function readMetadataFilter(parameter: string | undefined): Metadata {
  const filter = new Map<string, string>();
  if (parameter === undefined || parameter === "") return filter;
  for (const pair of decode(parameter).split("&")) {
    const [key, value, ...rest] = pair.split("=");
    if (key === undefined || value === undefined || rest.length > 0) {
      throw invalid("it must be key=value pairs joined with &");
    }
    filter.set(decode(key), decode(value));
  }
  if (filter.size > maxTags) throw invalid(`it may name at most ${maxTags} keys`);
  return filter;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new CastellanError("invalid_argument", "Error parsing metadata: it is not valid percent-encoding", { cause });
  }
}

function invalid(reason: string): CastellanError {
  return new CastellanError("invalid_argument", `Error parsing metadata: ${reason}`);
}
