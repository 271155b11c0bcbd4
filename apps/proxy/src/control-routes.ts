/** Routes of the daemon in a sandbox that are its node's alone. */
const controlRoutes = new Set([
  "/init",
  "/freeze",
  "/unfreeze",
  "/collapse",
  "/fsfreeze",
  "/fsthaw",
  "/upgrade",
  "/logs",
]);

/** More rounds of decoding than this are no honest path. */
const maxDecodings = 5;

/**
 * Whether a request target names a control route of the daemon, however it is spelled: encoded (also more than once),
 * with doubled, trailing or back slashes, dot segments, in capitals, with a query, or in absolute form. Wider than what
 * the daemon itself routes, so that no difference between two readers of a path is a way in.
 */
export function isControlRoute(target: string): boolean {
  let path = originForm(target).replace(/\?.*$/s, "");
  for (let round = 0; round <= maxDecodings; round++) {
    if (readings(path).some((reading) => controlRoutes.has(reading))) return true;
    const decoded = decodeOnce(path);
    if (decoded === path) return false;
    path = decoded;
  }
  return true;
}

/** The path and query of a request target in absolute form; any other target as it is, without a fragment. */
export function originForm(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/#.*$/s, "");
  return path === "" || path.startsWith("?") ? `/${path}` : path;
}

/** A path that begins with two slashes is either a path, or an authority and a path: URL parsers take the second. */
function readings(path: string): string[] {
  const plain = printableOf(path.replace(/[?#;].*$/s, ""))
    .replaceAll("\\", "/")
    .toLowerCase();
  const afterAuthority = /^\/\/+[^/]*(.*)$/s.exec(plain)?.[1];
  return afterAuthority === undefined ? [clean(plain)] : [clean(plain), clean(afterAuthority)];
}

function clean(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

/** Each escape by itself, so that a broken one does not keep the others from being read. */
function decodeOnce(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function printableOf(path: string): string {
  return Array.from(path, (character) => (character > " " && character !== "\x7f" ? character : "")).join("");
}
